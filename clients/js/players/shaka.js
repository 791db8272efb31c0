import { Attachment, TOKEN_HEADER, withToken } from "../attachment.js";
import { listen } from "../events.js";

export { StreamLimiter } from "../limiter.js";

/** @import * as api from "./shaka.js" */

// shaka.net.NetworkingEngine.RequestType; keys, licences and all other requests have other types.
const MANIFEST = 0;
const SEGMENT = 1;

// shaka.util.Error.Code
const BAD_HTTP_STATUS = 1001;
const LOAD_INTERRUPTED = 7000;

const GIVEN_UP = new Error("Another film is loaded, or none.");
const REMOTE = /^(https?:|[^:]*$)/i; // not `offline:`, `data:` or `blob:`

/** @type {typeof api.attach} */
export function attach(player, stream, options) {
  const attachment = new Attachment(player.getMediaElement(), stream, options);
  const network = /** @type {api.NetworkingEngine} */ (player.getNetworkingEngine()); // only a destroyed player has none
  const refusals = new Refusals(attachment);
  const loads = new Loads(player);
  attachment.undoes(() => loads.detach());

  /** @type {api.RequestFilter} */
  const onRequest = (type, request) => {
    const isVideo = type === MANIFEST || type === SEGMENT;
    if (!isVideo || !request.uris.every((uri) => REMOTE.test(uri))) return undefined;
    const isFirst = loads.takeFirst();
    const ready = refusals.renewal.then(() => attachment.request({ isFirst }));
    return abortable(loads.orInterrupted(ready).then((token) => carry(request, token, attachment.tokenIn)));
  };
  /** @type {api.ResponseFilter} */
  const onResponse = (_, { originalUri }) => refusals.forget(originalUri);

  network.registerRequestFilter(onRequest);
  network.registerResponseFilter(onResponse);
  attachment.undoes(() => network.unregisterRequestFilter(onRequest));
  attachment.undoes(() => network.unregisterResponseFilter(onResponse));
  // Shaka retries a failed request automatically, through the filters again, as long as it has attempts left.
  attachment.undoes(listen(network, { retry: ({ error }) => void refusals.isRepeatable(error) }));
  attachment.undoes(
    listen(player, {
      loading: () => {
        loads.begin();
        const video = player.getMediaElement();
        if (video) attachment.watch(video);
      },
      loaded: () => loads.finish(),
      error: async ({ detail: error }) => {
        if (!refusals.isRepeatable(error)) return;
        error.handled = true;
        await refusals.renewal;
        player.retryStreaming(0);
      },
    }),
  );
  // A film that failed while the network was down resumes with its next slot.
  attachment.undoes(listen(stream, { admitted: () => void player.retryStreaming(0) }));
  return attachment;
}

/** The requests that the edge refused as expired: each is repeated once, and all wait for the same new token. */
class Refusals {
  #attachment;
  /** @type {Map<string, api.ShakaError>} */
  #errors = new Map();
  /** @type {Promise<unknown>} */
  renewal = Promise.resolve();

  /** @param {Attachment} attachment */
  constructor(attachment) {
    this.#attachment = attachment;
  }

  /**
   * Return whether the failed request may succeed with another token. Shaka may report the same failure twice.
   * @param {api.ShakaError} error
   */
  isRepeatable(error) {
    if (error.code !== BAD_HTTP_STATUS) return false;
    const [uri, status, , headers] = error.data;
    if (status !== 403 || headers["x-playback"] !== "expired") return false;
    const first = this.#errors.get(path(uri));
    if (first) return first === error;
    this.#errors.set(path(uri), error);
    this.renewal = this.#attachment.expired();
    return true;
  }

  /** @param {string} uri of a request that succeeded */
  forget(uri) {
    this.#errors.delete(path(uri));
  }
}

/** @param {string} uri */
function path(uri) {
  return uri.split("?")[0]; // the query contains the token, which changes
}

/**
 * The films that a player loads. Shaka begins a load or an unload only when the previous load has finished, so a load that
 * waits for a slot is aborted.
 */
class Loads {
  #isFirst = false;
  #isLoading = false;
  #giveUp = () => {};
  /** @type {Promise<never>} */
  #givenUp = new Promise(() => {});

  /** @param {api.ShakaPlayer} player */
  constructor(player) {
    const { load, unload } = player;
    player.load = async (...film) => {
      this.#giveUp();
      try {
        return await load.apply(player, film);
      } catch (/** @type {any} */ error) {
        if (isInterrupted(error)) error.code = LOAD_INTERRUPTED; // Shaka's code for all other interruptions
        throw error;
      }
    };
    player.unload = (...how) => {
      this.#giveUp();
      return unload.apply(player, how);
    };
    this.detach = () => void Object.assign(player, { load, unload });
  }

  begin() {
    this.#isFirst = true;
    this.#isLoading = true;
    this.#givenUp = new Promise((_, reject) => (this.#giveUp = () => reject(GIVEN_UP)));
    this.#givenUp.catch(() => {});
  }

  finish() {
    this.#isLoading = false;
  }

  /** Return whether this request is the first of its film. */
  takeFirst() {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    return isFirst;
  }

  /**
   * Return a promise that rejects if the load is aborted while it waits for a token. Shaka itself stops a loaded film.
   * @template T
   * @param {Promise<T>} ready
   */
  orInterrupted(ready) {
    return this.#isLoading ? Promise.race([ready, this.#givenUp]) : ready;
  }
}

/** @param {any} error a REQUEST_FILTER_ERROR contains the filter's own error */
function isInterrupted(error) {
  return error && error.data && error.data[0] === GIVEN_UP;
}

/**
 * Return a Shaka operation that can be aborted, for example by an unload, while it waits for a token.
 * @param {Promise<void>} done
 * @returns {api.Operation}
 */
function abortable(done) {
  let abort = () => {};
  const aborted = new Promise((/** @type {(value?: undefined) => void} */ resolve) => (abort = resolve));
  const promise = Promise.race([done, aborted]);
  return { promise, abort: () => (abort(), promise.catch(() => {})) };
}

/**
 * @param {api.Request} request
 * @param {string | undefined} token
 * @param {Attachment["tokenIn"]} tokenIn
 */
function carry(request, token, tokenIn) {
  if (tokenIn === "cookie") request.allowCrossSiteCredentials = true;
  else if (!token) return;
  else if (tokenIn === "query") request.uris = request.uris.map((uri) => withToken(uri, token));
  else request.headers[TOKEN_HEADER] = token;
}
