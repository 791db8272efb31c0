import type { AttachOptions, Attached } from "../attachment.js";
import type { Stream } from "../index.js";

export { StreamLimiter } from "../index.js";

/** The part of a shaka.extern.Request that is used. */
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

/** The part of a shaka.util.Error that is used. */
export interface ShakaError {
  code: number;
  data: any[];
  handled: boolean;
}

interface Target {
  addEventListener(kind: string, listener: (event: any) => any): void;
  removeEventListener(kind: string, listener: (event: any) => any): void;
}

/** The part of a shaka.Player that is used. */
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
 * Attach a stream to a shaka.Player, before it loads: `load` requests a slot, and continues once the stream is admitted.
 *
 * Manifests and segments carry the token; keys, licences and all other requests do not. Safari's native HLS player
 * (`streaming.preferNativeHls`) makes its own requests, and then only a cookie reaches the edge.
 */
export function attach(player: ShakaPlayer, stream: Stream, options?: AttachOptions): Attached;
