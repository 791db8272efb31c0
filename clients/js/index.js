/** The player's side of stream-limiter: see README.md. */
export { ServiceError } from "./errors.js";
export { StreamLimiter } from "./limiter.js";
export { Stream } from "./stream.js";
