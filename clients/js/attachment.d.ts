import type { Clock, ServiceError, Stream } from "./index.js";

export interface AttachOptions {
  /**
   * Whether a paused video keeps its slot: `true` by default, `false` gives it back at once, and a number keeps it for
   * so many milliseconds.
   */
  holdPaused?: boolean | number;
  /** What a video does whose lease ran out unanswered: `pause`, by default, or `play` on as far as it gets. */
  whenLapsed?: "pause" | "play";
  /**
   * How a request for the video carries its playback token: in a `header` by default, which costs a preflight for each
   * URL of another origin, in the `query`, or in a `cookie`.
   */
  tokenIn?: "header" | "query" | "cookie";
  /** The parent domain that the page and the CDN share, for a token in a cookie. */
  cookieDomain?: string;
  /** Called where a start that the video needed failed: show its message. The next play asks again. */
  onError?: (error: ServiceError) => void;
}

/** A stream that is tied to a player. */
export interface Attached {
  /** Let go of the player; the stream goes on as it is. */
  detach(): void;
}

/** What is used of a <video>. */
export interface Video {
  readonly paused: boolean;
  readonly ended: boolean;
  play(): Promise<void> | undefined;
  pause(): void;
  addEventListener(kind: string, listener: (event: any) => void): void;
  removeEventListener(kind: string, listener: (event: any) => void): void;
}

/** What the entries of all players have in common; they use it, and players do not. */
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
