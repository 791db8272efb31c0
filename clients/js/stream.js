import { ServiceError } from "./errors.js";
import { Abort, Events, listen } from "./events.js";
import { HeartbeatUrl, isAnswer } from "./heartbeats.js";
import { ScreenNames, freshName } from "./names.js";

/** @import * as api from "./index.js" */
/** @import { StreamLimiter } from "./limiter.js" */

const LONGEST_LEASE_S = 86_400; // the longest lease a service can have; longer timers could overflow
const HELD = ["starting", "admitted", "lapsed"]; // held or requested

/**
 * One screen's stream. Events: `admitted`, `refused`, `gone`, `lapsed`, `token`; `detail` is the service's answer.
 */
export class Stream extends Events {
  #limiter;
  #userId;
  #device;
  #groups;
  #givenName;
  /** @type {Promise<{ name: string, release: () => void }> | undefined} */
  #claim;
  #play = freshName(); // distinguishes this play from earlier ones of the same name, whose late ends are ignored
  /** @type {api.StreamState} */
  #state = "idle";
  #leaseUntil = 0;
  #isVerified = true;
  /** @type {string | undefined} */
  #replaces;
  /** @type {string | undefined} */
  #playbackToken;
  #tokenUntil = 0;
  #cancelTokenTimer = () => {};
  #heartbeatUrl = new HeartbeatUrl();
  #heartbeatMs = 0;
  #nextBeatAt = 0;
  #failures = 0;
  /** @type {Promise<boolean> | undefined} */
  #beating; // while a heartbeat is pending
  #hasLeftPage = false;
  /** @type {Partial<api.Gone>} */
  #lostBy = {}; // the answer that took the slot away
  #cancelTimer = () => {};
  #cancelLapse = () => {};
  #unwatchPage = () => {};
  #life = new Abort(); // aborted when the slot is given back or lost
  /** @type {AbortController | undefined} */
  #pendingStart; // while a start is pending

  streamId = "";

  /** @param {StreamLimiter} limiter @param {api.StreamOptions} [options] */
  constructor(limiter, { userId, device, groups = [], streamId } = {}) {
    super();
    this.#limiter = limiter;
    this.#userId = userId;
    this.#device = device;
    this.#groups = groups;
    this.#givenName = streamId;
  }

  /** `idle`, `starting`, `admitted`, `lapsed`, `refused`, `gone` or `ended`. */
  get state() {
    return this.#state;
  }

  /** The remaining time of the lease in milliseconds, by the local clock; 0 if there is no lease. */
  get leaseMs() {
    return Math.max(0, this.#leaseUntil - this.#limiter.clock.now());
  }

  /** The reason why the slot was taken away, and the device that took it, if known; undefined unless it was taken. */
  get gone() {
    return this.#state === "gone" ? this.#lostBy : undefined;
  }

  /** The newest playback token, for the CDN; undefined if there is none or it has expired. */
  get playbackToken() {
    return this.#limiter.clock.now() < this.#tokenUntil ? this.#playbackToken : undefined;
  }

  /**
   * Take a slot. Resolves with true if admitted, false if refused (or ended meanwhile). A slot that is already held is
   * reused for the next play, in other groups if the call names them. Rejects with a ServiceError if the service does not
   * answer within the patience, defers the start for longer than that, or rejects the call. A slot held before is then
   * still held, as it is if other groups are refused.
   * @param {{ replaces?: string, groups?: string[] }} [options]
   */
  start({ replaces, groups } = {}) {
    if (this.#state !== "admitted" && this.#state !== "lapsed") this.#open();
    return this.#takeSlot({ replaces: replaces ?? this.#replaces, groups });
  }

  /** Give the slot back. False if the call failed: then the lease frees the slot. */
  async end() {
    const isHeld = this.#isHeld();
    this.#close("ended");
    const body = this.#leave();
    try {
      if (isHeld) await this.#limiter.post("/stream/end", body);
      return true;
    } catch {
      return false;
    }
  }

  /** Stop without calling the service, as after a crash: the slot is freed when the lease expires. */
  abandon() {
    this.#close("ended");
  }

  /**
   * Send a heartbeat now, for example after the edge refused the playback token as expired. True if the lease was extended.
   */
  async renew() {
    return this.#state === "admitted" && this.#beat();
  }

  /** @param {{ replaces?: string, groups?: string[], patienceMs?: number }} options */
  async #takeSlot({ replaces, groups = this.#groups, patienceMs }) {
    this.#pendingStart?.abort(); // the latest start counts
    const pendingStart = (this.#pendingStart = new Abort());
    const { signal } = pendingStart;
    try {
      const { name } = await (this.#claim ??= this.#claimName());
      if (signal.aborted) return false;
      this.streamId = name;
      const other = replaces === name ? undefined : replaces;
      const body = { ...this.#body(), device: this.#device, replaces: other, groups: given(groups) };
      const held = await this.#limiter.post("/stream/start", body, { signal, patienceMs, check: checkHold });
      if (signal.aborted) return false;
      this.#hold(held, other);
      this.#heartbeatUrl.learn(held, this.#userId);
      this.#groups = groups;
      this.#state = "admitted";
      this.#dispatch("admitted", held.answer);
      return true;
    } catch (reason) {
      if (signal.aborted) return false;
      const error = /** @type {ServiceError} */ (reason);
      if (error.code === "limit_reached") {
        if (this.#isStillHeld(error.problem)) this.#dispatch("refused", error.problem);
        else this.#lose("refused", error.problem);
        return false;
      }
      if (this.#state === "lapsed" && error.isPassing) this.#startAgain({ replaces, state: "lapsed" });
      else if (this.#state !== "admitted") this.#close("idle"); // the name stays claimed, as the start may have succeeded
      throw error;
    } finally {
      if (pendingStart === this.#pendingStart) this.#pendingStart = undefined;
    }
  }

  /**
   * Return whether a refusal lists our own slot: only a change of groups was refused, and the slot keeps its groups.
   * @param {Partial<api.LimitReached>} refusal
   */
  #isStillHeld({ streams = [] }) {
    return this.#state === "admitted" && streams.some(({ streamId }) => streamId === this.streamId);
  }

  async #claimName() {
    const name = this.#givenName ?? this.streamId;
    const names = this.#givenName === undefined ? ScreenNames.of(this.#limiter.page) : undefined;
    return names ? names.claim(name) : { name: name || freshName(), release: () => {} };
  }

  /**
   * Restart automatically. No caller waits for the result, so retry indefinitely.
   * @param {{ replaces?: string, state?: api.StreamState }} [options]
   */
  #startAgain({ replaces, state } = {}) {
    this.#open(state);
    this.#replaces = replaces;
    this.#takeSlot({ replaces, patienceMs: Infinity }).catch((error) => this.#lose("gone", error.problem));
  }

  /** @param {{ answer: api.Hold, requestedAt: number }} held @param {string} [replaced] */
  #hold({ answer, requestedAt }, replaced = this.#replaces) {
    const { expiresInSeconds, heartbeatSeconds, playbackToken } = answer;
    this.#failures = 0;
    this.#heartbeatMs = heartbeatSeconds * 1000;
    // The service rounds the lease down; a lease of 0 seconds would lapse at once and restart in an endless loop.
    this.#leaseUntil = requestedAt + Math.max(expiresInSeconds * 1000, this.#heartbeatMs);
    this.#isVerified = answer.verified !== false;
    this.#replaces = this.#isVerified ? undefined : replaced; // after an unverified start it may not have ended
    this.#schedule(this.#heartbeatMs);
    const { clock } = this.#limiter;
    this.#cancelLapse();
    this.#cancelLapse = clock.after(this.#leaseUntil - clock.now(), () => this.#lapse());
    if (playbackToken) this.#setToken(playbackToken, this.#leaseUntil);
  }

  /** @param {string} [token] @param {number} [until] */
  #setToken(token, until = 0) {
    const { clock } = this.#limiter;
    this.#cancelTokenTimer();
    if (token) this.#cancelTokenTimer = clock.after(until - clock.now(), () => this.#setToken());
    this.#tokenUntil = until;
    if (token === this.#playbackToken) return;
    this.#playbackToken = token;
    this.#dispatch("token", { playbackToken: token });
  }

  /** @param {number} milliseconds */
  #schedule(milliseconds) {
    const { clock } = this.#limiter;
    this.#nextBeatAt = clock.now() + milliseconds;
    this.#cancelTimer();
    this.#cancelTimer = clock.after(milliseconds, () => this.#beat());
  }

  /** Send a heartbeat, unless one is pending. True if the lease was extended. */
  #beat() {
    return (this.#beating ??= this.#sendBeat());
  }

  async #sendBeat() {
    this.#cancelTimer();
    const life = this.#life;
    try {
      const held = (await this.#extendByToken(life.signal)) ?? (await this.#extendByLogin(life.signal));
      if (life.signal.aborted) return false;
      this.#hold(held);
      return true;
    } catch (reason) {
      if (life.signal.aborted) return false;
      const error = /** @type {ServiceError} */ (reason);
      const isGone = error.status === 410 && !this.#pendingStart; // if a start is pending, its answer decides
      if (!isGone) this.#schedule(this.#limiter.delay((this.#failures += 1), error, this.#heartbeatMs));
      else if (this.#isVerified) this.#lose("gone", error.problem);
      else this.#startAgain({ replaces: this.#replaces }); // an unverified lease may not exist in the store
      return false;
    } finally {
      if (life === this.#life) this.#beating = undefined;
    }
  }

  /**
   * Send a heartbeat to the heartbeat URL; return undefined if the API has to be used.
   * @param {AbortSignal} signal
   */
  async #extendByToken(signal) {
    const { target } = this.#heartbeatUrl;
    const { playbackToken } = this;
    if (!target || !playbackToken) return undefined;
    try {
      const body = { ...this.#body(), userId: target.userId, playbackToken };
      const held = await this.#limiter.renew(target.url, body, signal);
      checkHold(held.answer);
      this.#heartbeatUrl.succeed();
      return held;
    } catch (reason) {
      const error = /** @type {ServiceError} */ (reason);
      if (signal.aborted || isAnswer(error)) throw error;
      this.#heartbeatUrl.fail(this.#leaseUntil);
      return undefined;
    }
  }

  /** @param {AbortSignal} signal */
  async #extendByLogin(signal) {
    const held = await this.#limiter.send("POST", "/stream/heartbeat", this.#body(), signal);
    checkHold(held.answer);
    this.#heartbeatUrl.learn(held, this.#userId);
    return held;
  }

  /**
   * Handle the expiry of a lease that could not be extended: another stream may hold the slot now. A start that is
   * already pending decides.
   */
  #lapse() {
    if (this.#pendingStart) this.#discardLease("lapsed");
    else this.#startAgain({ replaces: this.#replaces, state: "lapsed" });
    this.#dispatch("lapsed", {});
  }

  /** @param {"refused" | "gone"} how @param {ServiceError["problem"]} problem */
  #lose(how, problem) {
    this.#close(how);
    this.#lostBy = problem;
    this.#release();
    this.#dispatch(how, problem);
  }

  /** @param {api.StreamState} [state] */
  #open(state = "starting") {
    this.#close(state);
    this.#watchPage();
  }

  /** @param {api.StreamState} state */
  #close(state) {
    this.#pendingStart?.abort();
    this.#pendingStart = undefined;
    this.#unwatchPage();
    this.#replaces = undefined;
    this.#hasLeftPage = false;
    this.#discardLease(state);
  }

  /**
   * Discard the lease and everything that depends on it.
   * @param {api.StreamState} state
   */
  #discardLease(state) {
    this.#life.abort();
    this.#life = new Abort();
    this.#cancelTimer();
    this.#cancelLapse();
    this.#beating = undefined;
    this.#failures = 0;
    this.#leaseUntil = 0;
    this.#state = state;
    this.#setToken();
  }

  #watchPage() {
    const { page } = this.#limiter;
    if (!page?.addEventListener) return;
    const isBack = (/** @type {Event} */ event) => this.#onPageActive(event);
    const pagehide = () => this.#onPageHide();
    this.#unwatchPage = listen(page, { visibilitychange: isBack, pageshow: isBack, online: isBack, pagehide });
  }

  #onPageHide() {
    if (!this.#isHeld()) return;
    this.#limiter.postOnUnload("/stream/end", this.#leave());
    this.#close("idle");
    this.#hasLeftPage = true;
    this.#watchPage();
  }

  /**
   * Restart when the browser restores a page, which gave its slot back when it was left.
   * @param {Event} event
   */
  #onPageActive(event) {
    if (this.#hasLeftPage) {
      if (event.type === "pageshow") this.#startAgain();
    } else if (this.#state === "lapsed") {
      this.#startAgain({ replaces: this.#replaces, state: "lapsed" }); // without waiting for the next retry
    } else if (this.#state === "admitted") {
      // The timers of a frozen tab stopped; the clock shows what is due.
      const now = this.#limiter.clock.now();
      if (now >= this.#leaseUntil) this.#lapse();
      else if (now >= this.#nextBeatAt || event.type === "online") this.#beat();
    }
  }

  #isHeld() {
    return this.streamId !== "" && HELD.includes(this.#state);
  }

  /**
   * Release the name and return the body of the end. The body names the groups, so that the service can end the stream in
   * one write. The next play has its own nonce, so a late end does not end it.
   */
  #leave() {
    const body = { ...this.#body(), groups: given(this.#groups) };
    this.#play = freshName();
    this.#release();
    return body;
  }

  /** Release the name, so that another stream of the tab may use it. */
  #release() {
    this.#claim?.then(({ release }) => release());
    this.#claim = undefined;
  }

  #body() {
    return { userId: this.#userId, streamId: this.streamId, play: this.#play };
  }

  /** @param {keyof api.StreamEvents} kind @param {object} detail */
  #dispatch(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/**
 * Omit the groups if there are none.
 * @param {string[]} groups
 */
function given(groups) {
  return groups.length ? groups : undefined;
}

/**
 * Throw unless this is an answer to a start or a heartbeat; a captive portal, for example, returns something else.
 * @param {api.Hold | undefined} answer
 */
function checkHold(answer) {
  const { expiresInSeconds = NaN, heartbeatSeconds = NaN } = answer ?? {};
  const isLease = expiresInSeconds >= 0 && expiresInSeconds <= LONGEST_LEASE_S;
  const isOurs = isLease && heartbeatSeconds > 0 && heartbeatSeconds <= LONGEST_LEASE_S;
  if (!isOurs) throw new ServiceError(0, { detail: "What answered is not the service." });
}
