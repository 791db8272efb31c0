import type { AttachOptions, Attached } from "../attachment.js";
import type { Stream } from "../index.js";

/** What is used of a shaka.extern.Request. */
export interface Request {
  uris: string[];
  headers: Record<string, string>;
  allowCrossSiteCredentials: boolean;
}

/** A shaka.extern.IAbortableOperation, which a filter may return. */
export interface Operation {
  promise: Promise<void>;
  abort(): Promise<void>;
}

export type RequestFilter = (type: number, request: Request) => any;
export type ResponseFilter = (type: number, response: { originalUri: string }) => any;

/** What is used of a shaka.util.Error. */
export interface ShakaError {
  code: number;
  data: any[];
  handled: boolean;
}

interface Target {
  addEventListener(kind: string, listener: (event: any) => any): void;
  removeEventListener(kind: string, listener: (event: any) => any): void;
}

/** What is used of a shaka.Player. */
export interface ShakaPlayer extends Target {
  getMediaElement(): HTMLMediaElement | null;
  getNetworkingEngine(): NetworkingEngine | null;
  retryStreaming(retryDelaySeconds?: number): boolean;
  load(...film: any[]): Promise<any>;
  unload(...how: any[]): Promise<any>;
}

export interface NetworkingEngine extends Target {
  registerRequestFilter(filter: RequestFilter): void;
  unregisterRequestFilter(filter: RequestFilter): void;
  registerResponseFilter(filter: ResponseFilter): void;
  unregisterResponseFilter(filter: ResponseFilter): void;
}

/**
 * Tie a stream to a shaka.Player, before it loads: `load` asks for a slot, and goes on once it is admitted.
 *
 * Manifests and segments carry the token; keys, licences and all else do not. Safari's own player of HLS
 * (`streaming.preferNativeHls`) asks for them itself, and then only a cookie reaches the edge.
 */
export function attach(player: ShakaPlayer, stream: Stream, options?: AttachOptions): Attached;
