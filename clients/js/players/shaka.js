import { Attachment, TOKEN_HEADER, withToken } from "../attachment.js";
import { listen } from "../events.js";

/** @import * as api from "./shaka.js" */

// shaka.net.NetworkingEngine.RequestType; keys, licences and all else have other types.
const MANIFEST = 0;
const SEGMENT = 1;
const BAD_HTTP_STATUS = 1001; // shaka.util.Error.Code
const REMOTE = /^(https?:|[^:]*$)/i; // not `offline:`, `data:` or `blob:`

/** @type {typeof api.attach} */
export function attach(player, stream, options) {
  const attachment = new Attachment(player.getMediaElement(), stream, options);
  const network = /** @type {api.NetworkingEngine} */ (player.getNetworkingEngine()); // only a destroyed player has none
  const refusals = new Refusals(attachment);
  let isLoading = false; // and its manifest has not been asked for

  /** @type {api.RequestFilter} */
  const onRequest = (type, request) => {
    const isVideo = type === MANIFEST || type === SEGMENT;
    if (!isVideo || !request.uris.every((uri) => REMOTE.test(uri))) return undefined;
    const isFirst = isLoading;
    isLoading = false;
    return abortable(async () => {
      await refusals.renewal;
      return attachment.request({ isFirst });
    }, (token) => carry(request, token, attachment.tokenIn));
  };
  /** @type {api.ResponseFilter} */
  const onResponse = (_, { originalUri }) => refusals.forget(originalUri);

  network.registerRequestFilter(onRequest);
  network.registerResponseFilter(onResponse);
  attachment.undoes(() => network.unregisterRequestFilter(onRequest));
  attachment.undoes(() => network.unregisterResponseFilter(onResponse));
  // Shaka repeats a request by itself, with a pass through the filters, as long as it has attempts left.
  attachment.undoes(listen(network, { retry: ({ error }) => void refusals.isRepeatable(error) }));
  attachment.undoes(
    listen(player, {
      loading: () => {
        isLoading = true;
        const video = player.getMediaElement();
        if (video) attachment.watch(video);
      },
      error: async ({ detail: error }) => {
        if (!refusals.isRepeatable(error)) return;
        error.handled = true;
        await refusals.renewal;
        player.retryStreaming(0);
      },
    }),
  );
  // A film that failed while the network was away goes on with its next slot.
  attachment.undoes(listen(stream, { admitted: () => void player.retryStreaming(0) }));
  return attachment;
}

/** What the edge has refused as expired: each request is repeated once, and all wait for the same new token. */
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
   * Whether the request that failed may do better with another token. Of one failure, Shaka speaks once or twice.
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

  /** @param {string} uri it was answered */
  forget(uri) {
    this.#errors.delete(path(uri));
  }
}

/** @param {string} uri */
function path(uri) {
  return uri.split("?")[0]; // each token makes another query
}

/**
 * An operation as Shaka has them: an abort, as of a film that is unloaded, does not wait for a token.
 * @param {() => Promise<string | undefined>} wait
 * @param {(token: string | undefined) => void} done
 * @returns {api.Operation}
 */
function abortable(wait, done) {
  let abort = () => {};
  const aborted = new Promise((resolve) => (abort = () => resolve(undefined)));
  const promise = Promise.race([aborted, wait().then(done)]);
  return { promise, abort: () => (abort(), promise) };
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
