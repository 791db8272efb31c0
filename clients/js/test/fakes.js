/** A scripted service, and a clock set by hand. */
import { StreamLimiter } from "../index.js";

export class FakeClock {
  #now = 1_000_000;
  #timers = new Set();

  now() {
    return this.#now;
  }

  after(milliseconds, callback) {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Let the time pass, each timer at its moment. */
  async pass(milliseconds) {
    const until = this.#now + milliseconds;
    await settled();
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
      await settled();
    }
    this.#now = until;
  }

  /** Correct the wall clock; timers are unaffected. */
  correct(milliseconds) {
    this.#now += milliseconds;
    for (const timer of this.#timers) timer.at += milliseconds;
  }

  /** Let the time pass while no timer fires, as in a frozen tab. */
  freeze(milliseconds) {
    this.#now += milliseconds;
  }
}

export class FakeService {
  requests = [];
  #answers = [];

  /** Give the next requests these answers, and repeat the last one forever. An Error is a network failure. */
  answer(...answers) {
    this.#answers = answers;
  }

  fetch = async (url, options) => {
    this.requests.push({ path: url, ...options, body: options.body && JSON.parse(options.body) });
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0];
    if (answer instanceof Error) throw answer;
    if (answer === NEVER) {
      return new Promise((_, reject) => {
        options.signal?.addEventListener("abort", () => reject(options.signal.reason));
      });
    }
    const [status, body, headers] = answer;
    return new Response(JSON.stringify(body), { status, headers });
  };

  get paths() {
    return this.requests.map(({ path }) => path);
  }
}

/** The Web Locks of a browser, as far as the client uses them. */
export class FakeLocks {
  #held = new Set();

  async request(name, { ifAvailable }, callback) {
    if (!ifAvailable) throw new Error("The client must not wait.");
    if (this.#held.has(name)) return callback(null);
    this.#held.add(name);
    try {
      return await callback({ name });
    } finally {
      this.#held.delete(name);
    }
  }

  /** The only page crashes: its locks are gone. */
  crash() {
    this.#held.clear();
  }
}

/** A page of a tab; what is stored is a Map of the tab's. */
export function pageOf(stored, locks = undefined) {
  const sessionStorage = {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => stored.set(key, value),
  };
  return Object.assign(new EventTarget(), { sessionStorage, navigator: { locks } });
}

export const NEVER = Symbol("never");
export const LOST = new TypeError("fetch failed");
export const HOLD = [200, { streamCount: 1, maxStreams: 3, expiresInSeconds: 90, heartbeatSeconds: 30 }];
export const LONG_HOLD = [200, { ...HOLD[1], expiresInSeconds: 86_400 }];
export const holdWith = (playbackToken) => [200, { ...HOLD[1], playbackToken }];
export const UNVERIFIED = [200, { ...HOLD[1], streamCount: undefined, verified: false }];
export const GONE = [410, { code: "stream_gone", detail: "gone" }];
export const FULL = [403, { code: "limit_reached", detail: "full", streams: [{ streamId: "tv-1", device: "TV" }] }];
export const UHD_FULL = [403, { ...FULL[1], limit: { group: "uhd", max: 1 } }];
/** The refusal of a change to UHD while the stream holds its slot: its own lease is listed. */
export const refusing = ({ streamId }) => [403, { ...UHD_FULL[1], streams: [{ streamId: "tv-1" }, { streamId }] }];
export const TOO_MANY = [429, { code: "too_many_starts", detail: "soon" }, { "retry-after": "60" }];
export const THROTTLED = [429, { message: "Too Many Requests" }];
export const UNAVAILABLE = [503, { code: "store_unavailable", detail: "away" }, { "retry-after": "1" }];

/** Wait for every promise that can be settled by now. */
export async function settled() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
}

/** A stream over fakes, and its events; its groups are an option beside the limiter's. */
export function player({ groups, ...options } = {}) {
  const clock = new FakeClock();
  const service = new FakeService();
  const { page = new EventTarget() } = options;
  const limiter = new StreamLimiter({ url: "/api/", fetch: service.fetch, clock, page, random: () => 1, ...options });
  const stream = limiter.stream({ userId: "1", device: "TV", groups });
  const events = [];
  for (const kind of ["admitted", "lapsed", "refused", "gone"]) {
    stream.addEventListener(kind, ({ detail }) => events.push([kind, detail]));
  }
  service.answer(HOLD);
  const tokens = [];
  stream.addEventListener("token", ({ detail }) => tokens.push(detail.playbackToken));
  return { clock, service, page, limiter, stream, events, tokens, kinds: () => events.map(([kind]) => kind) };
}

/** A <video> whose events come when a browser would send them: after the call. */
export class FakeVideo extends EventTarget {
  paused = true;
  ended = false;
  forbidden = false; // true if the browser requires a gesture of the viewer
  later = queueMicrotask; // when an event comes
  #film = 0;

  play() {
    if (this.forbidden) return Promise.reject(new DOMException("no gesture", "NotAllowedError"));
    this.ended = false;
    if (this.paused) this.#happens("play");
    this.paused = false;
    return Promise.resolve();
  }

  pause() {
    if (!this.paused) this.#happens("pause");
    this.paused = true;
  }

  /** End the film. */
  end() {
    this.pause();
    this.ended = true;
    this.#happens("ended");
  }

  /** Load another film: the pending events of this one do not occur. */
  forget() {
    this.#film += 1;
  }

  #happens(kind) {
    const film = this.#film;
    this.later(() => film === this.#film && this.dispatchEvent(new Event(kind)));
  }
}
