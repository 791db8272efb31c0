/** The global object, also where it has no name of its own (Chromium before 71). */
export const scope = typeof globalThis === "undefined" ? self : globalThis;
