import { Attachment } from "../attachment.js";
import { listen } from "../events.js";

export { StreamLimiter } from "../limiter.js";

/** @import * as api from "./video.js" */
/** @import { Stream } from "../index.js" */

const SAME_PLACE_S = 1; // a second failure this close to the first has another cause
const FIRST = { capture: true };

/**
 * Attach a stream to a `<video>` that plays natively.
 * @param {HTMLVideoElement} video
 * @param {Stream} stream
 * @param {api.VideoOptions} [options]
 * @returns {api.Attached}
 */
export function attach(video, stream, options) {
  const isHeld = () => stream.state === "admitted";
  const source = new Source(video, isHeld);
  const unlisten = listen(stream, {
    admitted: () => source.bringBack(), // before the attachment's listener, which plays
    token: ({ detail }) => detail.playbackToken || !video.ended || source.takeAway(), // otherwise a replay would load at once
  });
  const attachment = new Attachment(video, stream, { ...options, tokenIn: "cookie" });
  attachment.undoes(unlisten);
  attachment.undoes(() => source.release());

  /** The latest failure. The edge's reason cannot be read here, so each failure is treated as an expired token, once. */
  let failedAt = { url: "", position: 0 };
  const onError = async (/** @type {Event} */ event) => {
    if (event.target !== video) return;
    const { currentSrc: url, currentTime: position } = video;
    const isAgain = url === failedAt.url && Math.abs(position - failedAt.position) < SAME_PLACE_S;
    if (isHeld() && isAgain) return;
    event.stopImmediatePropagation(); // without a slot, the video is reloaded once there is one
    if (!isHeld()) return;
    failedAt = { url, position };
    if (await attachment.expired()) source.reload();
    else video.dispatchEvent(new Event("error"));
  };
  video.addEventListener("error", onError, FIRST); // the page's listeners run afterwards, if at all
  attachment.undoes(() => video.removeEventListener("error", onError, FIRST));

  if (video.autoplay && !isHeld()) attachment.request({ isFirst: true });
  return attachment;
}

/** The source of a video, which is removed while it must not be requested. */
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
    // A browser requests a new source in a separate task; the observer runs before that.
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

  /** Restore the source; reload the video if it failed meanwhile. */
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

  /** Reload the video, and resume at the same position. */
  reload() {
    const { currentTime, paused } = this.#video;
    this.#load(!paused);
    this.#video.currentTime = currentTime;
  }

  release() {
    this.#observer.disconnect();
    this.bringBack();
  }

  /** Load the video, and play it if it was playing: a load pauses it. @param {boolean} isPlaying */
  #load(isPlaying) {
    this.#video.load();
    if (isPlaying) this.#video.play().catch(() => {});
  }
}
