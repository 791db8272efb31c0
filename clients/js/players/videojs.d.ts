import type { AttachOptions, Attached } from "../attachment.js";
import type { Stream } from "../index.js";

export { StreamLimiter } from "../index.js";

/** A request made by Video.js. */
export interface Request extends XMLHttpRequest {
  requestTime?: number;
  timedout?: boolean;
}

/** The part of the request's options that is used. */
export interface RequestOptions {
  requestType?: string;
  timeout?: number;
}

export type SendRequest = (options: RequestOptions, callback: (...answer: any[]) => void) => Request;

/** The part of a Video.js player that is used. */
export interface VideoJsPlayer {
  paused(): boolean;
  ended(): boolean;
  play(): Promise<void> | undefined;
  pause(): void;
  on(kind: string, listener: (event: any) => any): void;
  off(kind: string, listener: (event: any) => any): void;
  /** Its `vhs` plays HLS and DASH, and is replaced with each source. */
  tech(isSafe: true): any;
}

/**
 * Attach a stream to a Video.js player, before its source is set with `player.src()`.
 *
 * Playlists, manifests and segments carry the token; keys and all other requests do not. Safari plays HLS natively unless
 * Video.js is configured otherwise: `html5: { vhs: { overrideNative: true }, nativeAudioTracks: false, nativeVideoTracks:
 * false }`. On an iPhone, which always plays HLS natively, only a cookie reaches the edge.
 */
export function attach(player: VideoJsPlayer, stream: Stream, options?: AttachOptions): Attached;
