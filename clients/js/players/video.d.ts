import type { AttachOptions, Attached } from "../attachment.js";
import type { Stream } from "../index.js";

export type { Attached };

/** A `<video>` can send no header: its token goes in a cookie. */
export type VideoOptions = Omit<AttachOptions, "tokenIn"> & { tokenIn?: "cookie" };

/**
 * Tie a stream to a `<video>` that plays by itself, as with HLS in Safari. As long as no slot is held, it is without its
 * source, so that nothing is asked for before there is a token: set the source and call `play()` as usual.
 */
export function attach(video: HTMLVideoElement, stream: Stream, options?: VideoOptions): Attached;
