import type { AttachOptions, Attached } from "../attachment.js";
import type { Stream } from "../index.js";

/** A request as Video.js makes it. */
export interface Request extends XMLHttpRequest {
  requestTime?: number;
  timedout?: boolean;
}

/** What is used of the request's options. */
export interface RequestOptions {
  requestType?: string;
  timeout?: number;
}

export type SendRequest = (options: RequestOptions, callback: (...answer: any[]) => void) => Request;

/** What is used of a Video.js player. */
export interface VideoJsPlayer {
  paused(): boolean;
  ended(): boolean;
  play(): Promise<void> | undefined;
  pause(): void;
  on(kind: string, listener: (event: any) => any): void;
  off(kind: string, listener: (event: any) => any): void;
  /** Its `vhs` plays HLS and DASH; it is another one with each source. */
  tech(isSafe: true): any;
}

/**
 * Tie a stream to a player of Video.js, before its source is set with `player.src()`.
 *
 * Playlists, manifests and segments carry the token; keys and all else do not. Safari plays HLS by itself unless
 * Video.js is told otherwise: `html5: { vhs: { overrideNative: true }, nativeAudioTracks: false, nativeVideoTracks:
 * false }`. Where it has to (on an iPhone), only a cookie reaches the edge.
 */
export function attach(player: VideoJsPlayer, stream: Stream, options?: AttachOptions): Attached;
