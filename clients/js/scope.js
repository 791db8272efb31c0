/** The global object, also in browsers without `globalThis` (Chromium before 71). */
export const scope = typeof globalThis === "undefined" ? self : globalThis;
