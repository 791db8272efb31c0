/** A window without any feature later than Chromium 53, the browser of televisions of 2018. */
import { createRequire } from "node:module";
import vm from "node:vm";

const VERSION = 53;
const compat = createRequire(import.meta.url)("@mdn/browser-compat-data");

/** Return whether that version has a feature, according to MDN. */
export function isThere(feature) {
  const statements = [feature?.__compat?.support.chrome ?? []].flat();
  return statements.some((statement) => {
    const { version_added, version_removed, flags, prefix, alternative_name } = statement;
    const since = parseFloat(String(version_added).replace("≤", ""));
    return since <= VERSION && !(version_removed <= VERSION) && !flags && !prefix && !alternative_name;
  });
}

/** Remove later features of the language: globals, and methods of those that stay. */
function age(realm) {
  const builtins = { ...compat.javascript.builtins, WebAssembly: compat.webassembly.api };
  for (const [name, feature] of Object.entries(builtins)) {
    const builtin = name === "TypedArray" ? Object.getPrototypeOf(realm.Uint8Array) : realm[name];
    if (builtin === undefined) continue;
    if (!isThere(feature)) Reflect.deleteProperty(realm, name);
    for (const [member, { __compat }] of Object.entries(feature)) {
      if (!__compat || isThere(feature[member])) continue;
      Reflect.deleteProperty(builtin, member); // well-known symbols stay, they cannot be deleted
      if (builtin.prototype) Reflect.deleteProperty(builtin.prototype, member);
    }
  }
}

/** A target of events that ignores a listener's options except `capture`; `listeners` has the remaining ones. */
class Target {
  listeners = [];

  addEventListener(kind, listener) {
    this.removeEventListener(kind, listener);
    this.listeners.push({ kind, listener });
  }

  removeEventListener(kind, listener) {
    this.listeners = this.listeners.filter((other) => other.kind !== kind || other.listener !== listener);
  }

  dispatchEvent(event) {
    for (const { kind, listener } of this.listeners) if (kind === event.type) listener(event);
    return true;
  }
}

const IN_THE_REALM = `
  EventTarget = class EventTarget { constructor() { throw new TypeError("Illegal constructor"); } };
  Event = class Event { constructor(type) { this.type = type; } };
  CustomEvent = class CustomEvent extends Event {
    constructor(type, { detail = null } = {}) {
      super(type);
      this.detail = detail;
    }
  };
`;

/**
 * Open a window; its `fetch` answers each request with `answer(path)`, and `requests` has their paths.
 * It has the parts of the Web that a client may need, all of them in Chromium 53.
 */
export function openWindow(answer) {
  const requests = [];
  const stored = new Map();
  const window = new Target();
  const apis = {
    document: Object.assign(new Target(), { visibilityState: "visible", createDocumentFragment: () => new Target() }),
    location: new URL("https://watch.example.com/film"),
    navigator: { onLine: true },
    sessionStorage: {
      getItem: (key) => stored.get(key) ?? null,
      setItem: (key, value) => void stored.set(key, value),
    },
    fetch: async (url, { method }) => {
      const { pathname } = new URL(url);
      requests.push(`${method} ${pathname}`);
      return { ok: true, status: 200, headers: { get: () => null }, json: async () => answer(pathname) };
    },
    URL: class extends URL {
      static canParse = undefined;
      static parse = undefined;
    },
    crypto: { getRandomValues: (array) => crypto.getRandomValues(array) },
    console,
    setTimeout,
    clearTimeout,
  };
  for (const name of Object.keys(apis)) {
    const feature = compat.api[name] ?? compat.api.Window[name] ?? compat.api[`${name}_static`];
    if (!isThere(feature)) throw new Error(`Chromium ${VERSION} has no ${name}.`);
  }
  const realm = vm.createContext(Object.assign(window, apis, { window, self: window }));
  vm.runInContext(IN_THE_REALM, realm);
  age(vm.runInContext("this", realm));
  return { run: (text) => vm.runInContext(text, realm), window, requests };
}
