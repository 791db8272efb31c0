/** The names of streams: one for each screen, kept over plays and reloads for as long as its tab lives. */

/**
 * Return the name that this tab keeps under a key.
 * A tab that is duplicated copies what its session stores, so the name is stored only while no page is there.
 * @param {string} key
 */
export function keptName(key) {
  const name = sessionStorage.getItem(key) ?? freshName();
  addEventListener("pagehide", () => sessionStorage.setItem(key, name));
  addEventListener("pageshow", () => sessionStorage.removeItem(key));
  return name;
}

function freshName() {
  const bytes = crypto.getRandomValues(new Uint8Array(12)); // randomUUID is not there without HTTPS
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
