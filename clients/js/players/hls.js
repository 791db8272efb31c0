import { Attachment, TOKEN_HEADER, withToken } from "../attachment.js";
import { listen } from "../events.js";

export { StreamLimiter } from "../limiter.js";

/** @import * as api from "./hls.js" */
/** @import { Stream } from "../index.js" */

/** @typedef {{ url: string, headers?: Record<string, string>, type: string }} Context of a request */
/** @typedef {Record<"onSuccess" | "onError" | "onTimeout", Function> & { onProgress?: Function, onAbort?: Function }} Callbacks */
/** @typedef {{ aborted: boolean, loading: { start: number } }} Stats */
/** @typedef {XMLHttpRequest | Response | null} Details the network response */

/**
 * Attach a stream to an instance of hls.js.
 * @param {api.HlsPlayer} hls
 * @param {Stream} stream
 * @param {api.AttachOptions} [options]
 * @returns {api.Attached}
 */
export function attach(hls, stream, options) {
  let hasStopped = false;
  const unlisten = listen(stream, { admitted: () => hasStopped && startAgain() });
  const attachment = new Attachment(/** @type {HTMLVideoElement | null} */ (hls.media), stream, options);
  attachment.undoes(unlisten);

  const { config } = hls;
  const { loader, pLoader, fLoader } = config;
  config.pLoader = withTokens(pLoader ?? loader, attachment);
  config.fLoader = withTokens(fLoader ?? loader, attachment);
  attachment.undoes(() => Object.assign(config, { pLoader, fLoader }));

  /** @type {Record<string, (event: string, data: any) => void>} */
  const listeners = {
    hlsMediaAttaching: (_, { media }) => attachment.watch(media),
    hlsManifestLoading: () => (hasStopped = false),
    hlsError: (_, { fatal, type }) => (hasStopped ||= fatal && type === "networkError"),
    hlsDestroying: () => attachment.detach(),
  };
  for (const kind of Object.keys(listeners)) hls.on(kind, listeners[kind]);
  attachment.undoes(() => Object.keys(listeners).forEach((kind) => hls.off(kind, listeners[kind])));

  /** Resume loading after an outage that was too long for hls.js, which stops loading once it has given up. */
  function startAgain() {
    hasStopped = false;
    if (hls.levels.length > 0) hls.startLoad();
    else if (hls.url) hls.loadSource(hls.url);
  }

  return attachment;
}

/**
 * Return a loader class that waits for a token, and repeats the request once if the edge refuses the token as expired.
 * @param {new (config: any) => any} Loader
 * @param {Attachment} attachment
 */
function withTokens(Loader, attachment) {
  const { tokenIn } = attachment;

  return class {
    #config;
    #loader;
    #isSent = false;
    #isOver = false;
    /** @type {Callbacks | undefined} */
    #callbacks;
    /** @type {Context | null} */
    context = null;

    /** @param {any} config */
    constructor(config) {
      this.#config = tokenIn === "cookie" ? withCredentials(config) : config;
      this.#loader = new Loader(this.#config);
      /** @type {Stats} */
      this.stats = this.#loader.stats; // hls.js keeps this object, so a repeated request updates the same one
    }

    /** @param {Context} context @param {object} policy @param {Callbacks} callbacks */
    load(context, policy, callbacks) {
      this.context = context;
      this.#callbacks = callbacks;
      const isFirst = context.type === "manifest";
      attachment.request({ isFirst }).then((token) => this.#send(token, policy));
    }

    /** @param {string | undefined} token @param {object} policy */
    #send(token, policy, mayRepeat = true) {
      const { context, stats } = this;
      const callbacks = this.#callbacks;
      if (this.#isOver || !context || !callbacks) return;
      this.#isSent = true;
      this.#loader.load(carrying(token, context), policy, {
        ...callbacks,
        onSuccess: (/** @type {any} */ response, /** @type {Stats} */ _, /** @type {Context} */ __, /** @type {Details} */ details) =>
          callbacks.onSuccess(response, stats, context, details),
        onError: async (/** @type {any} */ error, /** @type {Context} */ _, /** @type {Details} */ details) => {
          const isExpired = mayRepeat && reasonIn(details) === "expired";
          const newest = isExpired ? await attachment.expired() : undefined;
          if (this.#isOver) return;
          if (newest) this.#repeat(newest, policy);
          else callbacks.onError(error, context, details, stats);
        },
        onTimeout: (/** @type {Stats} */ _, /** @type {Context} */ __, /** @type {Details} */ details) =>
          callbacks.onTimeout(stats, context, details),
      });
    }

    /** Repeat the request with a new loader: each works only once. @param {string} token @param {object} policy */
    #repeat(token, policy) {
      this.#loader.destroy();
      this.#loader = new Loader(this.#config);
      this.#loader.stats = this.stats;
      this.stats.loading.start = 0;
      this.#send(token, policy, false);
    }

    abort() {
      this.#isOver = true;
      if (this.#isSent) return this.#loader.abort();
      this.stats.aborted = true;
      this.#callbacks?.onAbort?.(this.stats, this.context, null);
    }

    destroy() {
      this.#isOver = true;
      this.#loader.destroy();
      this.#callbacks = undefined;
      this.context = null;
    }

    getCacheAge() {
      return this.#loader.getCacheAge?.() ?? null;
    }

    /** @param {string} name */
    getResponseHeader(name) {
      return this.#loader.getResponseHeader?.(name) ?? null;
    }
  };

  /** @param {string | undefined} token @param {Context} context */
  function carrying(token, context) {
    if (!token || tokenIn === "cookie") return context;
    if (tokenIn === "query") return { ...context, url: withToken(context.url, token) };
    return { ...context, headers: { ...context.headers, [TOKEN_HEADER]: token } };
  }
}

/** Make both loaders of hls.js send cookies to other origins. @param {any} config */
function withCredentials(config) {
  const { xhrSetup, fetchSetup } = config;
  return {
    ...config,
    xhrSetup(/** @type {XMLHttpRequest} */ xhr, /** @type {any[]} */ ...more) {
      xhr.withCredentials = true;
      return xhrSetup?.call(this, xhr, ...more);
    },
    fetchSetup(/** @type {{ url: string }} */ context, /** @type {RequestInit} */ init) {
      const sent = { ...init, credentials: "include" };
      return fetchSetup ? fetchSetup(context, sent) : new Request(context.url, /** @type {RequestInit} */ (sent));
    },
  };
}

/** Return the edge's reason for refusing a request. @param {Details} details */
function reasonIn(details) {
  if (!details) return undefined;
  return "headers" in details ? details.headers.get("x-playback") : details.getResponseHeader("x-playback");
}
