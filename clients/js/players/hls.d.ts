import type { AttachOptions, Attached } from "../attachment.js";
import type { Stream } from "../index.js";

export { StreamLimiter } from "../index.js";
export type { AttachOptions, Attached };

/** The part of an `Hls` of hls.js 1.x that is used. */
export interface HlsPlayer {
  readonly config: {
    loader: new (config: any) => any;
    pLoader?: (new (config: any) => any) | undefined;
    fLoader?: (new (config: any) => any) | undefined;
  };
  readonly media: HTMLMediaElement | null;
  readonly url: string | null;
  readonly levels: readonly unknown[];
  on(event: any, listener: (event: any, data: any) => void): void;
  off(event: any, listener: (event: any, data: any) => void): void;
  loadSource(url: string): void;
  startLoad(startPosition?: number): void;
}

/** Attach a stream to an instance of hls.js, before its `loadSource`: even the first request waits for a token. */
export function attach(hls: HlsPlayer, stream: Stream, options?: AttachOptions): Attached;
