import { scope } from "./scope.js";

/** @import { Page } from "./index.js" */

const KEY = "stream-limiter-client";
const NAME = /^[0-9a-f]{24}$/;

/** @type {WeakMap<Page, ScreenNames>} */
const ofPages = new WeakMap();

/**
 * The names of a tab's screens: one for each stream that the tab plays at the same time.
 * They are stored in `sessionStorage`, which survives a reload and a crash, and which is copied to a duplicated tab. A Web
 * Lock for each name in use distinguishes the two: a lock ends with its page, even after a crash, so a reloaded page finds
 * its names free, and a duplicate finds them taken. Pages without Web Locks (no HTTPS, an older browser) skip this check.
 */
export class ScreenNames {
  #page;
  #storage;
  /** @type {Set<string>} */
  #used = new Set();

  /** @param {Page} page @param {Storage} storage */
  constructor(page, storage) {
    this.#page = page;
    this.#storage = storage;
  }

  /**
   * Return the names of a page's tab; undefined if the page has no storage.
   * @param {Page | undefined} page
   */
  static of(page) {
    const storage = page && storageOf(page);
    if (!storage) return undefined;
    const names = ofPages.get(page) ?? new ScreenNames(page, storage);
    ofPages.set(page, names);
    return names;
  }

  /**
   * Claim a name that no other stream uses, until it is released: the latest one if it is free, else a stored one, else
   * a new one.
   * @param {string} latest
   * @returns {Promise<{ name: string, release: () => void }>}
   */
  async claim(latest) {
    for (const name of [latest, ...this.#kept()]) {
      if (!name || this.#used.has(name)) continue;
      this.#used.add(name);
      const unlock = await this.#lock(name);
      if (unlock) {
        if (!this.#kept().includes(name)) this.#keep([...this.#kept(), name]);
        return { name, release: () => (this.#used.delete(name), unlock()) };
      }
      this.#used.delete(name);
      this.#keep(this.#kept().filter((kept) => kept !== name)); // the name belongs to the tab that was duplicated
    }
    return this.claim(freshName());
  }

  /**
   * Lock a name. Resolves with the function that unlocks it, or with undefined if another page holds the lock.
   * @param {string} name
   * @returns {Promise<(() => void) | undefined>}
   */
  #lock(name) {
    return new Promise((resolve) => {
      const isFree = () => resolve(() => {});
      const { locks } = this.#page.navigator ?? {};
      if (!locks) return isFree();
      const hold = (/** @type {Lock | null} */ lock) => lock && new Promise((unlock) => resolve(() => unlock(null)));
      locks
        .request(`${KEY} ${name}`, { ifAvailable: true }, hold)
        .then(() => resolve(undefined)) // no effect if the lock was granted
        .catch(isFree);
    });
  }

  /** @returns {string[]} */
  #kept() {
    try {
      const kept = JSON.parse(this.#storage.getItem(KEY) ?? "[]");
      return kept.filter((/** @type {unknown} */ name) => NAME.test(String(name)));
    } catch {
      return []; // other code wrote to this key
    }
  }

  /** @param {string[]} names */
  #keep(names) {
    try {
      this.#storage.setItem(KEY, JSON.stringify(names));
    } catch {
      // the storage is full: the name lasts until the page is reloaded
    }
  }
}

/** Return a random name. `crypto.randomUUID` does not exist on pages without HTTPS. */
export function freshName() {
  const bytes = scope.crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join("");
}

/** @param {Page} page */
function storageOf(page) {
  try {
    return page.sessionStorage;
  } catch {
    return undefined; // the browser's settings forbid this page to store data
  }
}
