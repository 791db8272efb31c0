import { ServiceError } from "./errors.js";

/** @import * as api from "./index.js" */
/** @import { StreamLimiter } from "./limiter.js" */

const LONGEST_LEASE_S = 86_400; // no service is set to more, and a timer cannot wait for a month
const WAKING = ["visibilitychange", "pageshow", "online"];

/** One player's stream. Events: `admitted`, `refused`, `gone`; `detail` has what the service said. */
export class Stream extends EventTarget {
  #limiter;
  #userId;
  #device;
  #nextStreamId;
  /** @type {string | undefined} */
  #unansweredReplaces;
  /** @type {api.StreamState} */
  #state = "idle";
  #leaseUntil = 0;
  #isVerified = true;
  /** @type {string | undefined} */
  #replaces;
  #heartbeatMs = 0;
  #nextBeatAt = 0;
  #failures = 0;
  #isBeating = false;
  #hasLeftPage = false;
  #cancelTimer = () => {};
  #play = new AbortController(); // aborted when the play that it stands for is over

  streamId = "";

  /** @param {StreamLimiter} limiter @param {api.StreamOptions} [options] */
  constructor(limiter, { userId, device, streamId } = {}) {
    super();
    this.#limiter = limiter;
    this.#userId = userId;
    this.#device = device;
    this.#nextStreamId = streamId;
  }

  /** `idle`, `starting`, `admitted`, `refused`, `gone` or `ended`. */
  get state() {
    return this.#state;
  }

  /** How long our slot is ours, by our clock, in milliseconds; 0 when it is not. */
  get leaseMs() {
    return Math.max(0, this.#leaseUntil - this.#limiter.clock.now());
  }

  /**
   * Take a slot: true when admitted, false when refused (or when `end` came first). A slot that is held
   * already is handed over to the new play; it is given back where `replaces` names another one.
   * Rejects with a ServiceError when the service does not answer for long, or takes the call for wrong;
   * the next start is then the same one again, which may have landed.
   * @param {{ replaces?: string }} [options]
   */
  start({ replaces } = {}) {
    const held = this.#isHeld() ? this.#body() : undefined;
    if (held && replaces && replaces !== held.streamId) this.#giveBack(held);
    this.#close("starting");
    this.#watchPage();
    return this.#takeSlot({ replaces: replaces ?? held?.streamId ?? this.#unansweredReplaces });
  }

  /** Give the slot back. False when the service could not be told: then the lease ends it. */
  async end() {
    const isHeld = this.#isHeld();
    this.#close("ended");
    return !isHeld || this.#giveBack(this.#body());
  }

  /** Stop without a word, as a crash does: the slot comes back when the lease runs out. */
  abandon() {
    this.#close("ended");
  }

  /** @param {object} body */
  async #giveBack(body) {
    try {
      await this.#limiter.post("/stream/end", body);
      return true;
    } catch {
      return false;
    }
  }

  /** @param {{ replaces?: string, patienceMs?: number }} [options] */
  async #takeSlot({ replaces, patienceMs } = {}) {
    const play = this.#play;
    this.streamId = this.#nextStreamId ?? freshStreamId();
    this.#nextStreamId = this.#unansweredReplaces = undefined;
    this.#replaces = replaces;
    const body = { ...this.#body(), device: this.#device, replaces };
    try {
      const held = await this.#limiter.post("/stream/start", body, { signal: play.signal, patienceMs });
      if (play.signal.aborted) return false;
      this.#hold(held);
      this.#state = "admitted";
      this.#tell("admitted", held.answer);
      return true;
    } catch (reason) {
      if (play.signal.aborted) return false;
      const error = /** @type {ServiceError} */ (reason);
      if (error.code === "limit_reached") {
        this.#close("refused");
        this.#tell("refused", error.problem);
        return false;
      }
      this.#nextStreamId = this.streamId;
      this.#unansweredReplaces = replaces;
      this.#close("idle");
      throw error;
    }
  }

  /**
   * Start again without being asked to: nobody waits for it, so it is tried for as long as it takes.
   * @param {{ replaces?: string }} [options]
   */
  #startAgain({ replaces } = {}) {
    this.#close("starting");
    this.#watchPage();
    this.#takeSlot({ replaces, patienceMs: Infinity }).catch((error) => this.#lose(error.problem));
  }

  /** @param {{ answer: api.Hold, askedAt: number }} held */
  #hold({ answer, askedAt }) {
    const { expiresInSeconds, heartbeatSeconds } = answer ?? {};
    const isOurs = expiresInSeconds >= 0 && heartbeatSeconds > 0 && heartbeatSeconds <= LONGEST_LEASE_S;
    if (!isOurs) throw new ServiceError(0, { detail: "What answered is not the service." });
    this.#failures = 0;
    this.#leaseUntil = askedAt + expiresInSeconds * 1000; // not after what the service means
    this.#heartbeatMs = heartbeatSeconds * 1000;
    this.#isVerified = answer.verified !== false;
    if (this.#isVerified) this.#replaces = undefined; // it is over; after an unverified start it may not be
    this.#schedule(this.#heartbeatMs);
  }

  /** @param {number} milliseconds */
  #schedule(milliseconds) {
    const { clock } = this.#limiter;
    this.#nextBeatAt = clock.now() + milliseconds;
    this.#cancelTimer();
    this.#cancelTimer = clock.after(milliseconds, () => this.#beat());
  }

  async #beat() {
    if (this.#state !== "admitted" || this.#isBeating) return;
    this.#cancelTimer();
    const play = this.#play;
    const askedAt = this.#limiter.clock.now();
    this.#isBeating = true;
    try {
      const held = await this.#limiter.send("POST", "/stream/heartbeat", this.#body(), play.signal);
      if (!play.signal.aborted) this.#hold(held);
    } catch (reason) {
      if (play.signal.aborted) return;
      const error = /** @type {ServiceError} */ (reason);
      if (error.status === 410) this.#afterGone(error.problem, askedAt);
      else this.#schedule(this.#limiter.delay((this.#failures += 1), error, this.#heartbeatMs));
    } finally {
      if (play === this.#play) this.#isBeating = false;
    }
  }

  /**
   * Start again if the lease had expired, or came with an unverified answer and so may exist nowhere;
   * otherwise the stream was evicted, so stop.
   * @param {ServiceError["problem"]} problem
   * @param {number} askedAt
   */
  #afterGone(problem, askedAt) {
    if (!this.#isVerified || askedAt >= this.#leaseUntil) this.#startAgain({ replaces: this.#replaces });
    else this.#lose(problem);
  }

  /** @param {ServiceError["problem"]} problem */
  #lose(problem) {
    this.#close("gone");
    this.#tell("gone", problem);
  }

  /** @param {api.StreamState} state */
  #close(state) {
    this.#play.abort();
    this.#play = new AbortController();
    this.#cancelTimer();
    this.#isBeating = false;
    this.#failures = 0;
    this.#leaseUntil = 0;
    this.#hasLeftPage = false;
    this.#state = state;
  }

  #watchPage() {
    const { page } = this.#limiter;
    if (!page?.addEventListener) return;
    const { signal } = this.#play;
    for (const kind of WAKING) {
      page.addEventListener(kind, (event) => this.#pageIsBack(event), { signal });
    }
    page.addEventListener("pagehide", () => this.#pageGoes(), { signal });
  }

  #pageGoes() {
    if (!this.#isHeld()) return;
    this.#limiter.farewell("/stream/end", this.#body());
    this.#close("idle");
    this.#hasLeftPage = true;
    this.#watchPage();
  }

  /**
   * A page that the browser kept comes back without its slot.
   * @param {Event} event
   */
  #pageIsBack(event) {
    if (this.#hasLeftPage) {
      if (event.type === "pageshow") this.#startAgain();
    } else {
      // The timers of a frozen tab stood still; what is due meanwhile is told by the clock.
      const isDue = this.#limiter.clock.now() >= this.#nextBeatAt;
      if (isDue || event.type === "online") this.#beat();
    }
  }

  /** Held, or asked for: the answer may come any moment. */
  #isHeld() {
    return this.#state === "starting" || this.#state === "admitted";
  }

  #body() {
    return { userId: this.#userId, streamId: this.streamId };
  }

  /** @param {keyof api.StreamEvents} kind @param {object} detail */
  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/** Not `crypto.randomUUID`, which pages without HTTPS lack. */
function freshStreamId() {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
