import { systemClock } from "./clock.js";
import { ServiceError } from "./errors.js";
import { Abort } from "./events.js";
import { scope } from "./scope.js";
import { Stream } from "./stream.js";

/** @import * as api from "./index.js" */

const JSON_TYPE = { "content-type": "application/json" };
const REQUEST_TIMEOUT_MS = 5_000; // the service answers within 3 s, even if its dependencies fail
const PATIENCE_MS = 15_000;
const FIRST_DELAY_MS = 300;
const LONGEST_DELAY_MS = 10_000;
const LONGEST_RETRY_AFTER_MS = 300_000; // the longest delay of a heartbeat, whatever a proxy requests

const HIDDEN_SHARE = 1 / 5; // of the patience: a hidden 429 is worth retrying, a hidden 401 is not
const HIDDEN = {
  code: "answer_hidden",
  detail:
    "The browser hides the answer from this page: the API rejected the call (invalid token, or too many calls), " +
    "or its cors_origins does not include this page.",
};

/** The client of the service, for one or more players. */
export class StreamLimiter {
  #token;
  /** @type {{ authorization?: string }} */
  #authorization = {};

  /** @param {api.StreamLimiterOptions} [options] */
  constructor({
    url = "",
    token = undefined,
    fetch = (...request) => scope.fetch(...request),
    clock = systemClock,
    random = Math.random,
    page = scope.window,
    patienceMs = PATIENCE_MS,
  } = {}) {
    this.url = url.replace(/\/+$/, "");
    this.#token = token;
    this.fetch = fetch;
    this.clock = clock;
    this.random = random;
    /** @type {api.Page | undefined} */
    this.page = page;
    this.patienceMs = patienceMs;
  }

  /**
   * Create a screen's stream, which serves one play after another; nothing is sent before its `start()`.
   * @param {api.StreamOptions} [options]
   */
  stream(options = {}) {
    return new Stream(this, options);
  }

  /**
   * List the user's live streams.
   * @param {string} [userId]
   * @returns {Promise<api.Streams>}
   */
  async streams(userId) {
    const query = userId === undefined ? "" : `?userId=${encodeURIComponent(userId)}`;
    return (await this.send("GET", `/stream${query}`)).answer;
  }

  /**
   * POST, with retries until the call succeeds, fails permanently or is aborted, or the patience has run out.
   * @param {string} path
   * @param {object} body
   * @param {{ signal?: AbortSignal, patienceMs?: number, check?: (answer: any) => void }} [options]
   */
  async post(path, body, { signal, patienceMs = this.patienceMs, check = () => {} } = {}) {
    const beganAt = this.clock.now();
    for (let failures = 1; ; failures += 1) {
      try {
        const answered = await this.send("POST", path, body, signal);
        check(answered.answer);
        return answered;
      } catch (reason) {
        const error = await this.#explain(/** @type {ServiceError} */ (reason), signal); // both throw only this type
        const delay = this.delay(failures, error);
        const patience = error.code === HIDDEN.code ? patienceMs * HIDDEN_SHARE : patienceMs;
        const isHopeless = !error.isPassing || this.clock.now() + delay > beganAt + patience;
        if (isHopeless || signal?.aborted) throw error;
        await this.#pause(delay, signal);
        if (signal?.aborted) throw error;
      }
    }
  }

  /**
   * Send one request to the API; return the answer and the local time of the request. Rejects with a ServiceError.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {AbortSignal} [signal]
   */
  send(method, path, body, signal) {
    return this.#send(`${this.url}${path}`, { method }, () => this.#headers(), body, signal);
  }

  /**
   * Send a heartbeat to a URL other than the API, with the playback token in its body instead of the login. Redirects are
   * not followed, as the token is meant for that URL alone. The login is refreshed nevertheless, because `postOnUnload` has
   * no time to fetch it.
   * @param {string} url
   * @param {object} body
   * @param {AbortSignal} [signal]
   */
  renew(url, body, signal) {
    this.#headers().catch(() => {});
    return this.#send(url, { method: "POST", redirect: "error" }, () => JSON_TYPE, body, signal);
  }

  /**
   * @param {string} url
   * @param {RequestInit} how
   * @param {() => HeadersInit | Promise<HeadersInit>} makeHeaders
   * @param {object} [body]
   * @param {AbortSignal} [signal]
   */
  async #send(url, how, makeHeaders, body, signal) {
    const timeout = this.#timeout(signal);
    let requestedAt = 0;
    let response;
    let answer;
    try {
      const headers = await makeHeaders();
      requestedAt = this.clock.now();
      const sent = this.fetch(url, {
        ...how,
        headers,
        body: body && JSON.stringify(body),
        cache: "no-store",
        signal: timeout.signal,
      });
      response = await Promise.race([sent, timeout.over]);
      answer = await Promise.race([response.json(), timeout.over]);
    } catch (cause) {
      const error = new ServiceError(response?.ok === false ? response.status : 0, {}, { cause });
      error.isNetworkError = requestedAt > 0 && !response && !timeout.signal.aborted;
      throw error;
    } finally {
      timeout.cancel();
    }
    if (response.ok) return { answer, requestedAt };
    const error = new ServiceError(response.status, answer ?? {});
    const retryAfterMs = 1000 * (Number(response.headers?.get("retry-after")) || 0);
    error.retryAfterMs = Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS);
    throw error;
  }

  /**
   * POST while the page is being unloaded, with the latest token: there is no time to fetch a new one.
   * @param {string} path
   * @param {object} body
   */
  postOnUnload(path, body) {
    const headers = { ...JSON_TYPE, ...this.#authorization };
    this.fetch(`${this.url}${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      keepalive: true,
    })?.catch?.(() => {}); // if the call fails, the lease frees the slot
  }

  /**
   * Return the delay after consecutive failures: exponential backoff with jitter.
   * @param {number} failures
   * @param {ServiceError} error
   * @param {number} [longest]
   */
  delay(failures, error, longest = Infinity) {
    const doubled = Math.min(FIRST_DELAY_MS * 2 ** failures, LONGEST_DELAY_MS, longest);
    return Math.max(error.retryAfterMs, doubled * (0.5 + this.random() / 2));
  }

  /**
   * Distinguish a hidden response from a network failure. A browser reports both alike; API Gateway's own 401 and 429 may
   * lack CORS headers. If the API responds to an opaque (`no-cors`) request, the response was hidden.
   * @param {ServiceError} error
   * @param {AbortSignal} [signal]
   */
  async #explain(error, signal) {
    const isHidden = error.isNetworkError && this.#isCrossOrigin() && (await this.#isReachable(signal));
    return isHidden ? new ServiceError(0, HIDDEN, { cause: error.cause }) : error;
  }

  /** Return whether the API has another origin than the page. */
  #isCrossOrigin() {
    const { location } = scope;
    return location !== undefined && new URL(this.url, location.href).origin !== location.origin;
  }

  /** @param {AbortSignal} [signal] */
  async #isReachable(signal) {
    const timeout = this.#timeout(signal);
    try {
      // No route accepts HEAD, so this invokes no function.
      await this.fetch(`${this.url}/stream`, {
        method: "HEAD",
        mode: "no-cors",
        cache: "no-store",
        signal: timeout.signal,
      });
      return true;
    } catch {
      return false;
    } finally {
      timeout.cancel();
    }
  }

  /**
   * Return a signal that aborts a request after a timeout or on another signal, and a promise `over` that then rejects:
   * not every `fetch` supports signals (Chromium before 66 does not).
   * @param {AbortSignal} [signal]
   */
  #timeout(signal) {
    const abort = new Abort();
    /** @type {Promise<never>} */
    const over = new Promise((_, reject) => {
      abort.signal.addEventListener("abort", () => reject(new Error("The request was aborted.")));
    });
    over.catch(() => {}); // it may reject while no code awaits it
    const stop = () => abort.abort();
    const cancelTimer = this.clock.after(REQUEST_TIMEOUT_MS, stop);
    signal?.addEventListener("abort", stop);
    const cancel = () => {
      cancelTimer();
      signal?.removeEventListener("abort", stop);
    };
    return { signal: abort.signal, over, cancel };
  }

  async #headers() {
    const token = typeof this.#token === "function" ? await this.#token() : this.#token;
    this.#authorization = token ? { authorization: `Bearer ${token}` } : {};
    return { ...JSON_TYPE, ...this.#authorization };
  }

  /**
   * @param {number} milliseconds
   * @param {AbortSignal} [signal] ends the pause early
   * @returns {Promise<void>}
   */
  #pause(milliseconds, signal) {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const cancel = this.clock.after(milliseconds, done);
      signal?.addEventListener("abort", done);
    });
  }
}
