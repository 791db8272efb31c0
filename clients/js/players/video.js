import { Attachment } from "../attachment.js";
import { listen } from "../events.js";

/** @import * as api from "./video.js" */
/** @import { Stream } from "../index.js" */

const SAME_PLACE_S = 1; // a video that fails here again fails for another reason
const FIRST = { capture: true };

/**
 * Tie a stream to a `<video>` that plays by itself.
 * @param {HTMLVideoElement} video
 * @param {Stream} stream
 * @param {api.VideoOptions} [options]
 * @returns {api.Attached}
 */
export function attach(video, stream, options) {
  const isHeld = () => stream.state === "admitted";
  const source = new Source(video, isHeld);
  const unlisten = listen(stream, {
    admitted: () => source.bringBack(), // before the attachment hears it, and plays
    token: ({ detail }) => detail.playbackToken || !video.ended || source.takeAway(), // else a replay would load at once
  });
  const attachment = new Attachment(video, stream, { ...options, tokenIn: "cookie" });
  attachment.undoes(unlisten);
  attachment.undoes(() => source.release());

  /** The edge's reason cannot be read here: each failure is taken for an expired token, once. */
  let failedAt = { url: "", position: 0 };
  const onError = async (/** @type {Event} */ event) => {
    if (event.target !== video) return;
    const { currentSrc: url, currentTime: position } = video;
    const isAgain = url === failedAt.url && Math.abs(position - failedAt.position) < SAME_PLACE_S;
    if (isHeld() && isAgain) return;
    event.stopImmediatePropagation(); // without a slot it is loaded anew once there is one
    if (!isHeld()) return;
    failedAt = { url, position };
    if (await attachment.expired()) source.reload();
    else video.dispatchEvent(new Event("error"));
  };
  video.addEventListener("error", onError, FIRST); // the page hears it afterwards, if at all
  attachment.undoes(() => video.removeEventListener("error", onError, FIRST));

  if (video.autoplay && !isHeld()) attachment.request({ isFirst: true });
  return attachment;
}

/** The source of a video, which is taken away for as long as it must not be asked for. */
class Source {
  #video;
  #mayLoad;
  /** @type {Map<Element, string>} */
  #taken = new Map();
  #observer;

  /** @param {HTMLVideoElement} video @param {() => boolean} mayLoad */
  constructor(video, mayLoad) {
    this.#video = video;
    this.#mayLoad = mayLoad;
    // A browser asks for a new source in a task of its own; this comes before.
    this.#observer = new MutationObserver(() => this.takeAway());
    this.#observer.observe(video, { attributes: true, attributeFilter: ["src"], childList: true, subtree: true });
    this.takeAway();
  }

  takeAway() {
    if (this.#mayLoad()) return;
    const video = this.#video;
    const elements = [video, ...video.querySelectorAll("source")].filter((element) => element.hasAttribute("src"));
    if (elements.length === 0) return;
    const wasPlaying = !video.paused;
    for (const element of elements) {
      this.#taken.set(element, element.getAttribute("src") ?? "");
      element.removeAttribute("src");
    }
    this.#load(wasPlaying);
  }

  /** Give it back, and what failed meanwhile another try. */
  bringBack() {
    const isPlaying = !this.#video.paused;
    if (this.#taken.size > 0) {
      for (const [element, url] of this.#taken) element.setAttribute("src", url);
      this.#taken.clear();
      this.#load(isPlaying);
    } else if (this.#video.error) {
      this.reload();
    }
  }

  /** Load it anew, and go on where it stopped. */
  reload() {
    const { currentTime, paused } = this.#video;
    this.#load(!paused);
    this.#video.currentTime = currentTime;
  }

  release() {
    this.#observer.disconnect();
    this.bringBack();
  }

  /** What is loaded anew is paused. @param {boolean} isPlaying */
  #load(isPlaying) {
    this.#video.load();
    if (isPlaying) this.#video.play().catch(() => {});
  }
}
