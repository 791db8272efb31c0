/** A stream that holds a slot. */
export interface StreamView {
  streamId: string;
  device?: string;
  /** Absent if the stream is in no group. */
  groups?: string[];
  /** RFC 3339, UTC. */
  startedAt: string;
  expiresAt: string;
}

/** The response to a start or a heartbeat. */
export interface Hold {
  streamId: string;
  /** Absent if the stream is in no group. */
  groups?: string[];
  expiresAt: string;
  expiresInSeconds: number;
  heartbeatSeconds: number;
  /** Absent if the store was unavailable. */
  streamCount?: number;
  maxStreams?: number;
  /** `false` if the store was unavailable: the slot may not exist, in which case the stream restarts automatically. */
  verified?: false;
  /** Grants access to the video at the CDN until the lease expires; absent if the service issues none. */
  playbackToken?: string;
  /** Accepts the next heartbeats with the playback token instead of a login; absent if only the API accepts them. */
  heartbeatUrl?: string;
  /** The stream's user, for heartbeats to `heartbeatUrl`. */
  userId?: string;
}

/** An error in the format of RFC 9457. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  message: string;
  code: string;
}

/** A user's live streams: the named ones, and the number of anonymous ones and of all. */
export interface Streams {
  streamCount: number;
  anonymousCount: number;
  maxStreams: number;
  streams: StreamView[];
}

/** The limit of a group, such as "2 in UHD". */
export interface GroupLimit {
  group: string;
  max: number;
}

/** The reason for a refused start, and the streams that hold the slots. */
export interface LimitReached extends Problem, Streams {
  /** The limit that was reached; absent if it is `maxStreams`. */
  limit?: GroupLimit;
}

/** The reason why a slot was taken away: for display only, and absent if the service does not know it. */
export interface Gone extends Problem {
  /** Newer versions of the service may return other reasons. */
  reason?: "replaced" | "evicted" | "ended" | "expired";
  /** The name of the device that took the slot, if it has one. */
  by?: string;
}

/** A window, or a substitute for it. */
export type Page = EventTarget & Partial<Pick<Window, "sessionStorage" | "navigator">>;

/** The clock and the timers; the system's by default. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Call back after this many milliseconds. The returned function cancels the call. */
  after(milliseconds: number, callback: () => void): () => void;
}

export interface StreamLimiterOptions {
  /** The API's base URL; by default the page's own origin. */
  url?: string;
  /** The caller's JWT, or a function that returns one and is called before every request. */
  token?: string | (() => string | Promise<string>);
  fetch?: typeof globalThis.fetch;
  clock?: Clock;
  /** Returns a number from 0 to 1, like `Math.random`. */
  random?: () => number;
  /**
   * The source of the events `pagehide`, `pageshow`, `visibilitychange` and `online`. Its `sessionStorage` keeps names
   * over a reload, and its Web Locks show which are in use. By default the window, if there is one.
   */
  page?: Page;
  /** How long an unanswered call is retried: 15 seconds by default; a fifth of this if CORS hides the response. */
  patienceMs?: number;
}

export interface StreamOptions {
  /** Not needed if the token identifies the user. */
  userId?: string;
  /** A label for people, such as "living room". */
  device?: string;
  /** The groups in which the stream counts as well, such as `["uhd"]`; a start may name others. */
  groups?: string[];
  /**
   * The screen's name. By default a page uses one of its tab's names, which survive reloads; outside a page, each stream
   * generates one and keeps it.
   */
  streamId?: string;
}

export interface StartOptions {
  /** The name of a stream that ends at the same moment. */
  replaces?: string;
  /**
   * The groups in which the stream counts from now on, `[]` for none; by default its present ones. A stream that holds a
   * slot keeps its name, and stays unchanged if the new groups are refused.
   */
  groups?: string[];
}

export class StreamLimiter {
  constructor(options?: StreamLimiterOptions);
  /** Create a screen's stream, which serves one play after another; nothing is sent before its `start()`. */
  stream(options?: StreamOptions): Stream;
  /** List the user's live streams. */
  streams(userId?: string): Promise<Streams>;
}

export type StreamState = "idle" | "starting" | "admitted" | "lapsed" | "refused" | "gone" | "ended";

export interface StreamEvents {
  /** The slot is held. Also fired after an automatic restart. */
  admitted: CustomEvent<Hold>;
  /**
   * Every slot is taken: stop, and show the streams that hold them. If `state` is still `admitted`, only a change of
   * groups was refused: the stream continues in its present groups.
   */
  refused: CustomEvent<LimitReached>;
  /** The slot was taken away: stop, and show the reason. */
  gone: CustomEvent<Gone>;
  /**
   * The lease expired while the service was unavailable: another stream may hold the slot now, so pause. The stream
   * tries to restart automatically until `admitted`, `refused` or `gone` is fired.
   */
  lapsed: CustomEvent<Record<string, never>>;
  /** `playbackToken` has changed, or is no longer defined. The event for a new token precedes `admitted`. */
  token: CustomEvent<{ playbackToken: string | undefined }>;
}

export class Stream extends EventTarget {
  private constructor();
  readonly state: StreamState;
  /** Empty before the first start. */
  readonly streamId: string;
  /** While `state` is `gone`, the detail of the event `gone`: the reason, and the device that took the slot. */
  readonly gone: Partial<Gone> | undefined;
  /** The newest playback token; undefined if there is none or it has expired. */
  readonly playbackToken: string | undefined;
  /** The remaining time of the lease in milliseconds, by the local clock; 0 if there is no lease. */
  readonly leaseMs: number;
  /**
   * Take a slot, or reuse the one that is held. Resolves with true if admitted, false if refused. Rejects with a
   * ServiceError, whose code may be `too_many_starts`. A slot held before is then still held (`state` is `admitted`); if
   * there was none, do not play: show the message, and start again at the viewer's request, after `retryAfterMs`.
   */
  start(options?: StartOptions): Promise<boolean>;
  /**
   * Send a heartbeat now, for example after the edge refused the playback token as expired. True if the lease was extended.
   */
  renew(): Promise<boolean>;
  /** Give the slot back. False if the call failed: then the lease frees the slot. */
  end(): Promise<boolean>;
  /** Stop without calling the service: the slot is freed when the lease expires. */
  abandon(): void;
  addEventListener<K extends keyof StreamEvents>(
    kind: K,
    listener: (event: StreamEvents[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    kind: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

export class ServiceError extends Error {
  constructor(status: number, problem?: Partial<Problem>, options?: ErrorOptions);
  /** The HTTP status; 0 if there was no response. */
  readonly status: number;
  /** The service's name for the problem; `answer_hidden` if the browser hides the response because of CORS. */
  readonly code: string | undefined;
  readonly problem: Partial<Problem>;
  /** The wait before the next try that the service requests, in milliseconds; 0 if it requests none. */
  readonly retryAfterMs: number;
  /** True if the same call may succeed later. */
  readonly isPassing: boolean;
}
