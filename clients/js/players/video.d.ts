import type { AttachOptions, Attached } from "../attachment.js";
import type { Stream } from "../index.js";

export { StreamLimiter } from "../index.js";
export type { Attached };

/** A `<video>` cannot send a header, so its token goes in a cookie. */
export type VideoOptions = Omit<AttachOptions, "tokenIn"> & { tokenIn?: "cookie" };

/**
 * Attach a stream to a `<video>` that plays natively, such as HLS in Safari. While no slot is held, its source is removed,
 * so that nothing is requested before there is a token: set the source and call `play()` as usual.
 */
export function attach(video: HTMLVideoElement, stream: Stream, options?: VideoOptions): Attached;
