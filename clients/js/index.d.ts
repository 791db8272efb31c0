/** Who holds a slot. */
export interface StreamView {
  streamId: string;
  device?: string;
  /** Left out where it is in none. */
  groups?: string[];
  /** RFC 3339, UTC. */
  startedAt: string;
  expiresAt: string;
}

/** The answer to a start or a heartbeat. */
export interface Hold {
  streamId: string;
  /** Left out where the stream is in none. */
  groups?: string[];
  expiresAt: string;
  expiresInSeconds: number;
  heartbeatSeconds: number;
  /** Left out when the store could not be asked. */
  streamCount?: number;
  maxStreams?: number;
  /** `false` when the store could not be asked: the slot may exist nowhere, and the stream then starts again by itself. */
  verified?: false;
  /** Opens the video at the CDN until the lease ends; left out where the service issues none. */
  playbackToken?: string;
  /** Takes the next heartbeats for the playback token, without a login; left out where only the API does. */
  heartbeatUrl?: string;
  /** Whose stream it is, for these heartbeats. */
  userId?: string;
}

/** An error as RFC 9457 has it. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  message: string;
  code: string;
}

/** A user's live streams: the named ones, and how many there are without a name and altogether. */
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

/** Why a start was refused, and who holds the slots. */
export interface LimitReached extends Problem, Streams {
  /** The limit that is reached; left out where it is `maxStreams`. */
  limit?: GroupLimit;
}

/** Why a slot was taken away; for people only, and left out where the service cannot say. */
export interface Gone extends Problem {
  /** Newer services may give other reasons. */
  reason?: "replaced" | "evicted" | "ended" | "expired";
  /** The device that took the slot, if it gave its name. */
  by?: string;
}

/** A window, or what stands for it. */
export type Page = EventTarget & Partial<Pick<Window, "sessionStorage" | "navigator">>;

/** The system's by default. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Calls back after so many milliseconds, unless the function that it gives is called before. */
  after(milliseconds: number, callback: () => void): () => void;
}

export interface StreamLimiterOptions {
  /** Where the API is; by default where the page comes from. */
  url?: string;
  /** The caller's JWT, or what gets one; asked before every request. */
  token?: string | (() => string | Promise<string>);
  fetch?: typeof globalThis.fetch;
  clock?: Clock;
  /** From 0 to 1, as Math.random. */
  random?: () => number;
  /**
   * Where `pagehide`, `pageshow`, `visibilitychange` and `online` are heard, and names are kept over a reload (in its
   * `sessionStorage`; its Web Locks show which are in use); by default the window, where there is one.
   */
  page?: Page;
  /** How long a call is repeated while nothing answers, 15 seconds by default; a fifth of it where answers are hidden. */
  patienceMs?: number;
}

export interface StreamOptions {
  /** Left out where the token says who it is. */
  userId?: string;
  /** A label for people, such as "living room". */
  device?: string;
  /** The groups that it counts in beside all streams, such as `["uhd"]`; a start may name others. */
  groups?: string[];
  /**
   * The screen's name. By default a page takes one of its tab's, which are kept over reloads, and elsewhere each stream
   * makes one and keeps it.
   */
  streamId?: string;
}

export interface StartOptions {
  /** A stream that ends in the same moment. */
  replaces?: string;
  /**
   * The groups that the stream counts in from now on, `[]` for none; by default those that it has. A stream that is held
   * keeps its name, and goes on as it is where they are refused.
   */
  groups?: string[];
}

export class StreamLimiter {
  constructor(options?: StreamLimiterOptions);
  /** A screen's stream, for one play after the other; nothing is sent before its `start()`. */
  stream(options?: StreamOptions): Stream;
  /** The user's live streams. */
  streams(userId?: string): Promise<Streams>;
}

export type StreamState = "idle" | "starting" | "admitted" | "lapsed" | "refused" | "gone" | "ended";

export interface StreamEvents {
  /** The slot is ours; also after a start that the stream made by itself. */
  admitted: CustomEvent<Hold>;
  /**
   * Every slot is taken: stop, and show who holds them. Where `state` is still `admitted`, only a change of groups was
   * refused: the stream goes on in those that it has.
   */
  refused: CustomEvent<LimitReached>;
  /** The slot was taken away: stop, and say why. */
  gone: CustomEvent<Gone>;
  /**
   * The lease ran out while the service could not be reached: the slot may be another's by now, so pause. The stream
   * starts again by itself until `admitted`, `refused` or `gone` comes.
   */
  lapsed: CustomEvent<Record<string, never>>;
  /** `playbackToken` is another one, or none any more. A new one comes before `admitted`. */
  token: CustomEvent<{ playbackToken: string | undefined }>;
}

export class Stream extends EventTarget {
  private constructor();
  readonly state: StreamState;
  /** Empty before the first start. */
  readonly streamId: string;
  /** What the event `gone` said, while `state` is `gone`: why the slot was taken away, and by which device. */
  readonly gone: Partial<Gone> | undefined;
  /** The newest playback token; undefined when there is none, or it is over. */
  readonly playbackToken: string | undefined;
  /** How long our slot is ours, by our clock, in milliseconds; 0 when it is not. */
  readonly leaseMs: number;
  /**
   * Take a slot, or go on with the one that is held: true when admitted, false when refused. Rejects with a
   * ServiceError, `too_many_starts` among them. What was held before is then held still (`state` is `admitted`); without
   * it, do not play: show the message, and start again when the viewer asks to, after `retryAfterMs`.
   */
  start(options?: StartOptions): Promise<boolean>;
  /**
   * Send a heartbeat now, as when the edge said that the playback token has expired: true when the lease was extended.
   */
  renew(): Promise<boolean>;
  /** Give the slot back. False when the service could not be told: then the lease ends it. */
  end(): Promise<boolean>;
  /** Stop without a word: the slot comes back when the lease runs out. */
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
  /** The HTTP status; 0 when nothing answered. */
  readonly status: number;
  /** The service's name for the problem; `answer_hidden` where the browser keeps an answer from a page of another origin. */
  readonly code: string | undefined;
  readonly problem: Partial<Problem>;
  /** How long the service asks to wait before the next try, in milliseconds; 0 where it does not say. */
  readonly retryAfterMs: number;
  /** Whether the same call may do better a little later. */
  readonly isPassing: boolean;
}
