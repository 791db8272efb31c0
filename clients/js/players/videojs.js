import { Attachment, TOKEN_HEADER, withToken } from "../attachment.js";

export { StreamLimiter } from "../limiter.js";

/** @import * as api from "./videojs.js" */

// Only the bytes that identify a DASH file's container are requested without a type. All other requests have other types.
const VIDEO = ["hls-playlist", "dash-manifest", "dash-sidx", "segment", "segment-media-initialization", undefined];
const TIMEOUT_MS = 45 * 1000; // the default of Video.js
const ANSWERED = ["readystatechange", "progress", "load", "loadend"];

/** @type {typeof api.attach} */
export function attach(player, stream, options) {
  const attachment = new Attachment(videoOf(player), stream, options);
  let unwrap = () => {};
  const wrap = () => {
    const tech = player.tech(true);
    if (!tech) throw new Error("Set the source of Video.js after attach(), by player.src().");
    const { vhs } = tech;
    if (!vhs) return; // no source yet, or the browser plays HLS natively
    /** @type {{ xhr: api.SendRequest }} */
    const { xhr } = vhs;
    // `onRequest` hooks cannot wait. The page's own hooks are stored on the function itself, as are the global ones, which
    // a hook of ours would replace.
    vhs.xhr = new Proxy(xhr, {
      apply(_, __, [request, callback]) {
        if (!VIDEO.includes(request.requestType)) return xhr(request, callback);
        const sent = patient(new XMLHttpRequest(), attachment);
        sent.timeout = request.timeout || TIMEOUT_MS; // counts from when the request is sent; Video.js would count from now
        sent.addEventListener("timeout", () => (sent.timedout = true));
        return xhr(Object.assign({}, request, { xhr: sent, timeout: 0 }), callback);
      },
    });
    unwrap = () => (vhs.xhr = xhr);
  };
  player.on("xhr-hooks-ready", wrap); // once for each source
  attachment.undoes(() => {
    player.off("xhr-hooks-ready", wrap);
    unwrap();
  });
  if (player.tech(true)) wrap();
  return attachment;
}

/**
 * Return a `<video>` interface to the player, whose own `<video>` may change with the source.
 * @param {api.VideoJsPlayer} player
 * @returns {import("../attachment.js").Video}
 */
function videoOf(player) {
  return {
    get paused() {
      return player.paused();
    },
    get ended() {
      return player.ended();
    },
    play: () => player.play(),
    pause: () => player.pause(),
    addEventListener: (kind, listener) => player.on(kind, listener),
    removeEventListener: (kind, listener) => player.off(kind, listener),
  };
}

/**
 * Make a request wait for a token when it is sent, and repeat it once if the edge refuses the token as expired. The player
 * sees only the second response. An abort works at any time.
 * @param {api.Request} request
 * @param {Attachment} attachment
 */
function patient(request, attachment) {
  const { abort, open, send, setRequestHeader } = request;
  const { tokenIn } = attachment;
  let method = "GET";
  let url = "";
  /** @type {[string, string][]} */
  const headers = [];
  let isAborted = false;
  let isRepeated = false;

  const isExpired = () =>
    !isRepeated && request.status === 403 && request.getResponseHeader("x-playback") === "expired";

  /** @param {Event} event */
  function hide(event) {
    if (!isExpired()) return;
    event.stopImmediatePropagation();
    if (event.type !== "loadend") return;
    isRepeated = true;
    submit(attachment.expired());
  }

  /** @param {Promise<unknown>} [renewal] */
  async function submit(renewal) {
    await renewal;
    const token = await attachment.request();
    if (isAborted) return;
    open.call(request, method, token && tokenIn === "query" ? withToken(url, token) : url, true);
    for (const header of headers) setRequestHeader.apply(request, header);
    if (token && tokenIn === "header") setRequestHeader.call(request, TOKEN_HEADER, token);
    if (tokenIn === "cookie") request.withCredentials = true;
    request.requestTime = Date.now(); // the wait must not distort the bandwidth estimate
    send.call(request);
  }

  for (const kind of ANSWERED) request.addEventListener(kind, hide);
  return Object.assign(request, {
    /** @param {string} newMethod @param {string} newUrl */
    open(newMethod, newUrl) {
      method = newMethod;
      url = newUrl;
      open.call(request, method, url, true); // an unopened request does not accept headers
    },
    /** @param {[string, string]} header */
    setRequestHeader(...header) {
      headers.push(header);
    },
    send: () => void submit(),
    abort() {
      isAborted = true;
      abort.call(request);
    },
  });
}
