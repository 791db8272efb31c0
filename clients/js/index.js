/** A player's side of stream-limiter: see README.md. */
export { ServiceError, StreamLimiter } from "./limiter.js";
export { Stream } from "./stream.js";
