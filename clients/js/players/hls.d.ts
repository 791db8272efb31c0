import type { AttachOptions, Attached } from "../attachment.js";
import type { Stream } from "../index.js";

export type { AttachOptions, Attached };

/** What is used of an `Hls` of hls.js 1.x. */
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

/** Tie a stream to an instance of hls.js: before its `loadSource`, as its first request waits for a token already. */
export function attach(hls: HlsPlayer, stream: Stream, options?: AttachOptions): Attached;
