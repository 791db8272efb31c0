import { systemClock } from "./clock.js";
import { listen } from "./events.js";
import { scope } from "./scope.js";

/** @import * as api from "./attachment.js" */
/** @import { Stream } from "./index.js" */

export const TOKEN_HEADER = "cta-common-access-token";
export const TOKEN_NAME = "CAT"; // of the query parameter and of the cookie

const NEXT_EPISODE_MS = 1000; // one that begins within this time goes on in the slot

/** A stream that is tied to a video: what all players have in common. */
export class Attachment {
  /** @type {api.Video | undefined} */
  #video;
  #unwatch = () => {};
  #stream;
  #holdPaused;
  #whenLapsed;
  #onError;
  #clock;
  #isStopped = false; // by us, so that we may go on
  #isStopping = false; // until the video says that it has paused
  #hasToken = false;
  #cancelEnd = () => {};
  /** @type {(() => void)[]} */
  #waiting = []; // requests, until a slot is held
  /** @type {(() => void)[]} */
  #undone = [];

  /**
   * @param {api.Video | null | undefined} video none yet where a player gets its video later: see `watch`
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
    if (stream.playbackToken) this.#afterToken(options.cookieDomain);
    if (video) this.watch(video);
  }

  /** From now on, this is the player's video. @param {api.Video} video */
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

  /** Let go of the video; the stream goes on as it is. */
  detach() {
    this.#cancelEnd();
    this.#unwatch();
    for (const undo of this.#undone.splice(0)) undo();
    this.#goOn();
  }

  /** Have something undone by `detach`. @param {() => void} undo */
  undoes(undo) {
    this.#undone.push(undo);
  }

  /**
   * The newest token for a request of video, once a slot is held; undefined where the service issues none.
   * @param {{ isFirst?: boolean }} [options] the first request of a film asks for a slot, as play does: some players load
   *   before they play
   */
  async request({ isFirst = false } = {}) {
    if (isFirst) this.#afterLoad();
    while (this.#undone.length > 0 && !this.#mayRequest()) {
      await new Promise((/** @type {(value?: undefined) => void} */ resolve) => this.#waiting.push(resolve));
    }
    return this.#stream.playbackToken;
  }

  /** After the edge has said that the token of a request had expired: a newer one, or undefined if there is none. */
  async expired() {
    const isHeld = this.#stream.state === "admitted";
    if (isHeld && !(await this.#stream.renew()) && this.#stream.state === "admitted") return undefined;
    return this.request();
  }

  #afterPlay() {
    this.#cancelEnd();
    // Events come later than what they tell: this play may be older than our stop, from which we are to go on.
    if (!this.#isStopping) this.#isStopped = false;
    if (this.#mayPlay()) return;
    this.#stop();
    if (!this.#isHeld()) this.#ask();
  }

  /** A film that loads goes on in the slot of the one before, which may have ended. */
  #afterLoad() {
    this.#cancelEnd();
    if (!this.#isHeld()) this.#ask();
    else if (this.#isPaused()) this.#endWhenPausedForLong();
  }

  #afterPause() {
    this.#isStopping = false;
    if (this.#isStopped || this.#video?.ended) return;
    if (this.#holdPaused === false) this.#endAfter(0);
    else this.#endWhenPausedForLong();
  }

  #afterAdmitted() {
    this.#goOn();
    if (this.#isStopped) this.#resume();
    else if (this.#isPaused()) this.#endWhenPausedForLong();
  }

  #afterLoss() {
    if (this.#stream.state !== "admitted") this.#stop(); // else only other groups were refused
  }

  /** @param {string | undefined} cookieDomain */
  #afterToken(cookieDomain) {
    const { playbackToken, state } = this.#stream;
    this.#hasToken ||= playbackToken !== undefined;
    // After a lapse the old one stays: a browser that fetches ahead is then told `expired`, and not that it has none.
    if (this.tokenIn === "cookie" && (playbackToken || state !== "lapsed")) setCookie(playbackToken, cookieDomain);
  }

  /** Held, or about to be. */
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
   * A token that is over opens nothing, so a request waits for the next one, also where the stream has not noticed yet
   * that its lease ran out: timers stand still while a laptop sleeps.
   */
  #mayRequest() {
    const isLeased = this.#stream.state === "admitted" && this.#stream.leaseMs > 0;
    return isLeased || (this.#mayPlay() && !this.#hasToken);
  }

  #ask() {
    this.#stream.start().catch(this.#onError);
  }

  #stop() {
    if (this.#isPaused()) return;
    this.#isStopped = this.#isStopping = true;
    this.#video?.pause();
  }

  #resume() {
    this.#isStopped = false;
    this.#video?.play()?.catch(() => {}); // the browser wants a gesture: then the viewer presses play
  }

  #goOn() {
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
 * A URL of the video with its token in the query.
 * @param {string} url
 * @param {string} token
 */
export function withToken(url, token) {
  const [, address, query = "", fragment = ""] = /** @type {RegExpExecArray} */ (/^([^?#]*)(?:\?([^#]*))?(#.*)?$/.exec(url));
  const others = query.split("&").filter((part) => part && part.split("=")[0] !== TOKEN_NAME);
  return `${address}?${[...others, `${TOKEN_NAME}=${token}`].join("&")}${fragment}`;
}

/**
 * @param {string | undefined} token undefined takes it away
 * @param {string} [domain]
 */
function setCookie(token, domain) {
  const { document, location } = scope;
  const parts = [`${TOKEN_NAME}=${token ?? ""}`, "Path=/", "SameSite=Lax"];
  if (token === undefined) parts.push("Max-Age=0");
  if (domain) parts.push(`Domain=${domain}`);
  if (location.protocol === "https:") parts.push("Secure");
  document.cookie = parts.join("; ");
}
