/** The names of streams: one for each screen, kept across plays and reloads while its tab is open. */

/**
 * Return the name that this tab keeps under a key.
 * A duplicated tab copies its session storage, so the name is stored only while no page is loaded.
 * @param {string} key
 */
export function keptName(key) {
  const name = sessionStorage.getItem(key) ?? freshName();
  addEventListener("pagehide", () => sessionStorage.setItem(key, name));
  addEventListener("pageshow", () => sessionStorage.removeItem(key));
  return name;
}

function freshName() {
  const bytes = crypto.getRandomValues(new Uint8Array(12)); // randomUUID needs HTTPS
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
