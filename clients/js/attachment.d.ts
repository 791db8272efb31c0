import type { Clock, ServiceError, Stream } from "./index.js";

export interface AttachOptions {
  /**
   * Whether a paused video keeps its slot: `true` by default, `false` gives it back at once, and a number keeps it for
   * that many milliseconds.
   */
  holdPaused?: boolean | number;
  /** Behaviour after a lapse: `pause` by default, or `play` for as long as the edge allows. */
  whenLapsed?: "pause" | "play";
  /**
   * How a video request carries its playback token: in a `header` by default, which costs a preflight for each URL of
   * another origin, in the `query`, or in a `cookie`.
   */
  tokenIn?: "header" | "query" | "cookie";
  /** The parent domain shared by the page and the CDN, for a token in a cookie. */
  cookieDomain?: string;
  /** Called when a start triggered by the video failed: show the error's message. The next play tries again. */
  onError?: (error: ServiceError) => void;
}

/** A stream attached to a player. */
export interface Attached {
  /** Detach from the player; the stream is unaffected. */
  detach(): void;
}

/** The part of a `<video>` that is used. */
export interface Video {
  readonly paused: boolean;
  readonly ended: boolean;
  play(): Promise<void> | undefined;
  pause(): void;
  addEventListener(kind: string, listener: (event: any) => void): void;
  removeEventListener(kind: string, listener: (event: any) => void): void;
}

/** The part shared by the entry points of all players; not for use by pages. */
export class Attachment implements Attached {
  constructor(video: Video | null | undefined, stream: Stream, options?: AttachOptions & { clock?: Clock });
  readonly tokenIn: "header" | "query" | "cookie";
  watch(video: Video): void;
  detach(): void;
  undoes(undo: () => void): void;
  request(options?: { isFirst?: boolean }): Promise<string | undefined>;
  expired(): Promise<string | undefined>;
}

export const TOKEN_HEADER: string;
export const TOKEN_NAME: string;
export function withToken(url: string, token: string): string;
