import { systemClock } from "./clock.js";
import { listen } from "./events.js";
import { scope } from "./scope.js";

/** @import * as api from "./attachment.js" */
/** @import { Stream } from "./index.js" */

export const TOKEN_HEADER = "cta-common-access-token";
export const TOKEN_NAME = "CAT"; // of the query parameter and of the cookie

const NEXT_EPISODE_MS = 1000; // an episode that begins within this time reuses the slot

/** A stream attached to a video: the part that all players share. */
export class Attachment {
  /** @type {api.Video | undefined} */
  #video;
  #unwatch = () => {};
  #stream;
  #holdPaused;
  #whenLapsed;
  #onError;
  #clock;
  #isStopped = false; // by the attachment, which may therefore resume
  #isStopping = false; // until the video's `pause` event
  #hasToken = false;
  #cancelEnd = () => {};
  /** @type {(() => void)[]} */
  #waiting = []; // requests that wait for a slot
  /** @type {(() => void)[]} */
  #undone = [];

  /**
   * @param {api.Video | null | undefined} video absent if the player gets its video later: see `watch`
   * @param {Stream} stream
   * @param {api.AttachOptions & { clock?: import("./index.js").Clock }} [options]
   */
  constructor(video, stream, options = {}) {
    const { holdPaused = true, whenLapsed = "pause", onError = () => {}, clock = systemClock } = options;
    this.#stream = stream;
    this.#holdPaused = holdPaused;
    this.#whenLapsed = whenLapsed;
    this.#onError = onError;
    this.#clock = clock;
    this.tokenIn = options.tokenIn ?? "header";
    this.#undone.push(
      listen(stream, {
        admitted: () => this.#afterAdmitted(),
        refused: () => this.#afterLoss(),
        gone: () => this.#afterLoss(),
        lapsed: () => this.#whenLapsed === "pause" && this.#stop(),
        token: () => this.#afterToken(options.cookieDomain),
      }),
    );
    this.#afterToken(options.cookieDomain);
    if (video) this.watch(video);
  }

  /** Switch to this video. @param {api.Video} video */
  watch(video) {
    if (video === this.#video) return;
    this.#unwatch();
    this.#video = video;
    this.#unwatch = listen(video, {
      play: () => this.#afterPlay(),
      pause: () => this.#afterPause(),
      ended: () => this.#endAfter(NEXT_EPISODE_MS),
    });
    if (!video.paused) this.#afterPlay();
  }

  /** Detach from the video; the stream is unaffected. */
  detach() {
    this.#cancelEnd();
    this.#unwatch();
    for (const undo of this.#undone.splice(0)) undo();
    this.#releaseWaiting();
  }

  /** Register a function that `detach` calls. @param {() => void} undo */
  undoes(undo) {
    this.#undone.push(undo);
  }

  /**
   * Wait for a slot, then return the newest token for a video request; undefined if the service issues none.
   * @param {{ isFirst?: boolean }} [options] the first request of a film takes a slot, as `play` does: some players load
   *   before they play
   */
  async request({ isFirst = false } = {}) {
    if (isFirst) this.#afterLoad();
    while (this.#undone.length > 0 && !this.#mayRequest()) {
      await new Promise((/** @type {(value?: undefined) => void} */ resolve) => this.#waiting.push(resolve));
    }
    return this.#stream.playbackToken;
  }

  /** Return a newer token after the edge refused one as expired; undefined if there is none. */
  async expired() {
    const isHeld = this.#stream.state === "admitted";
    if (isHeld && !(await this.#stream.renew()) && this.#stream.state === "admitted") return undefined;
    return this.request();
  }

  #afterPlay() {
    this.#cancelEnd();
    // Events arrive late: this `play` may be older than our own pause, after which playback is to resume.
    if (!this.#isStopping) this.#isStopped = false;
    if (this.#mayPlay()) return;
    this.#stop();
    if (!this.#isHeld()) this.#requestSlot();
  }

  /** Reuse the slot of the previous film, which may have ended. */
  #afterLoad() {
    this.#cancelEnd();
    if (!this.#isHeld()) this.#requestSlot();
    else if (this.#isPaused()) this.#endWhenPausedForLong();
  }

  #afterPause() {
    this.#isStopping = false;
    if (this.#isStopped || this.#video?.ended) return;
    if (this.#holdPaused === false) this.#endAfter(0);
    else this.#endWhenPausedForLong();
  }

  #afterAdmitted() {
    this.#releaseWaiting();
    if (this.#isStopped) this.#resume();
    else if (this.#isPaused()) this.#endWhenPausedForLong();
  }

  #afterLoss() {
    if (this.#stream.state !== "admitted") this.#stop(); // if still admitted, only a change of groups was refused
  }

  /** @param {string | undefined} cookieDomain */
  #afterToken(cookieDomain) {
    const { playbackToken } = this.#stream;
    if (playbackToken === undefined) return; // the last one stays in the cookie, as a browser may still fetch ahead
    this.#hasToken = true;
    if (this.tokenIn === "cookie") setCookie(playbackToken, cookieDomain);
  }

  /** Return whether the slot is held or requested. */
  #isHeld() {
    const { state } = this.#stream;
    return state === "starting" || state === "admitted" || state === "lapsed";
  }

  #isPaused() {
    return this.#video?.paused ?? true;
  }

  #mayPlay() {
    const { state } = this.#stream;
    return state === "admitted" || (state === "lapsed" && this.#whenLapsed === "play");
  }

  /**
   * Return whether a request may be sent. The edge refuses an expired token, so a request waits for the next one, even if
   * the stream has not yet noticed that its lease has expired: timers stop while a laptop sleeps.
   */
  #mayRequest() {
    const isLeased = this.#stream.state === "admitted" && this.#stream.leaseMs > 0;
    return isLeased || (this.#mayPlay() && !this.#hasToken);
  }

  #requestSlot() {
    this.#stream.start().catch(this.#onError);
  }

  #stop() {
    if (this.#isPaused()) return;
    this.#isStopped = this.#isStopping = true;
    this.#video?.pause();
  }

  #resume() {
    this.#isStopped = false;
    this.#video?.play()?.catch(() => {}); // if the browser requires a gesture, the viewer presses play
  }

  #releaseWaiting() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #endWhenPausedForLong() {
    if (typeof this.#holdPaused === "number") this.#endAfter(this.#holdPaused);
  }

  /** @param {number} milliseconds */
  #endAfter(milliseconds) {
    this.#cancelEnd();
    this.#cancelEnd = this.#clock.after(milliseconds, () => this.#stream.end());
  }
}

/**
 * Return the video's URL with the token in its query.
 * @param {string} url
 * @param {string} token
 */
export function withToken(url, token) {
  const [, address, query = "", fragment = ""] = /** @type {RegExpExecArray} */ (/^([^?#]*)(?:\?([^#]*))?(#.*)?$/.exec(url));
  const others = query.split("&").filter((part) => part && part.split("=")[0] !== TOKEN_NAME);
  return `${address}?${[...others, `${TOKEN_NAME}=${token}`].join("&")}${fragment}`;
}

/**
 * @param {string} token
 * @param {string} [domain]
 */
function setCookie(token, domain) {
  const { document, location } = scope;
  const parts = [`${TOKEN_NAME}=${token}`, "Path=/", "SameSite=Lax"];
  if (domain) parts.push(`Domain=${domain}`);
  if (location.protocol === "https:") parts.push("Secure");
  document.cookie = parts.join("; ");
}
