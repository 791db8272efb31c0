import { systemClock } from "./clock.js";
import { ServiceError } from "./errors.js";
import { Abort } from "./events.js";
import { scope } from "./scope.js";
import { Stream } from "./stream.js";

/** @import * as api from "./index.js" */

const JSON_TYPE = { "content-type": "application/json" };
const REQUEST_TIMEOUT_MS = 5_000; // the service answers within 3 s, whatever happens behind it
const PATIENCE_MS = 15_000;
const FIRST_DELAY_MS = 300;
const LONGEST_DELAY_MS = 10_000;
const LONGEST_RETRY_AFTER_MS = 300_000; // a heartbeat is not put off for longer, whatever a proxy asks for

const HIDDEN_SHARE = 1 / 5; // of the patience: for 429 that is worth a try, for 401 it is not
const HIDDEN = {
  code: "answer_hidden",
  detail:
    "The browser hides the answer from this page: the API turned the call away (no valid token, or too many calls), " +
    "or its cors_origins does not name this page.",
};

/** The service, as one player or many speak to it. */
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
   * A screen's stream, for one play after the other; nothing is sent before its `start()`.
   * @param {api.StreamOptions} [options]
   */
  stream(options = {}) {
    return new Stream(this, options);
  }

  /**
   * The user's live streams.
   * @param {string} [userId]
   * @returns {Promise<api.Streams>}
   */
  async streams(userId) {
    const query = userId === undefined ? "" : `?userId=${encodeURIComponent(userId)}`;
    return (await this.send("GET", `/stream${query}`)).answer;
  }

  /**
   * POST, again and again until it is answered, refused for good, aborted, or patience has run out.
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
        const error = await this.#explain(/** @type {ServiceError} */ (reason), signal); // both throw nothing else
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
   * One request to the API: the answer, and when it was asked for by our clock. Rejects with a ServiceError.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {AbortSignal} [signal]
   */
  send(method, path, body, signal) {
    return this.#ask(`${this.url}${path}`, { method }, () => this.#headers(), body, signal);
  }

  /**
   * A heartbeat to another place than the API: the playback token in its body stands for the login, which is not sent.
   * No redirect is followed, as the token is meant for that place alone. The login is renewed all the same: a farewell
   * has no time to ask for it.
   * @param {string} url
   * @param {object} body
   * @param {AbortSignal} [signal]
   */
  renew(url, body, signal) {
    this.#headers().catch(() => {});
    return this.#ask(url, { method: "POST", redirect: "error" }, () => JSON_TYPE, body, signal);
  }

  /**
   * @param {string} url
   * @param {RequestInit} how
   * @param {() => HeadersInit | Promise<HeadersInit>} makeHeaders
   * @param {object} [body]
   * @param {AbortSignal} [signal]
   */
  async #ask(url, how, makeHeaders, body, signal) {
    const timeout = this.#timeout(signal);
    let askedAt = 0;
    let response;
    let answer;
    try {
      const headers = await makeHeaders();
      askedAt = this.clock.now();
      const asked = this.fetch(url, {
        ...how,
        headers,
        body: body && JSON.stringify(body),
        cache: "no-store",
        signal: timeout.signal,
      });
      response = await Promise.race([asked, timeout.over]);
      answer = await Promise.race([response.json(), timeout.over]);
    } catch (cause) {
      const error = new ServiceError(response?.ok === false ? response.status : 0, {}, { cause });
      error.isNetworkError = askedAt > 0 && !response && !timeout.signal.aborted;
      throw error;
    } finally {
      timeout.cancel();
    }
    if (response.ok) return { answer, askedAt };
    const error = new ServiceError(response.status, answer ?? {});
    const retryAfterMs = 1000 * (Number(response.headers?.get("retry-after")) || 0);
    error.retryAfterMs = Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS);
    throw error;
  }

  /**
   * POST while the page goes away: there is no time to wait for a token, so the latest one serves.
   * @param {string} path
   * @param {object} body
   */
  farewell(path, body) {
    const headers = { ...JSON_TYPE, ...this.#authorization };
    this.fetch(`${this.url}${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      keepalive: true,
    })?.catch?.(() => {}); // then the lease will end it
  }

  /**
   * How long to wait after so many failures in a row: doubled each time, with jitter.
   * @param {number} failures
   * @param {ServiceError} error
   * @param {number} [longest]
   */
  delay(failures, error, longest = Infinity) {
    const doubled = Math.min(FIRST_DELAY_MS * 2 ** failures, LONGEST_DELAY_MS, longest);
    return Math.max(error.retryAfterMs, doubled * (0.5 + this.random() / 2));
  }

  /**
   * A browser says the same of a network that is away and of an answer without CORS headers, as API Gateway's own
   * 401 and 429 may be. Where the API answers a request whose answer nobody reads, it is the latter.
   * @param {ServiceError} error
   * @param {AbortSignal} [signal]
   */
  async #explain(error, signal) {
    const isHidden = error.isNetworkError && this.#isElsewhere() && (await this.#answers(signal));
    return isHidden ? new ServiceError(0, HIDDEN, { cause: error.cause }) : error;
  }

  /** Whether the page is of another origin than the API. */
  #isElsewhere() {
    const { location } = scope;
    return location !== undefined && new URL(this.url, location.href).origin !== location.origin;
  }

  /** @param {AbortSignal} [signal] */
  async #answers(signal) {
    const timeout = this.#timeout(signal);
    try {
      // No route takes HEAD, so no function runs.
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
   * What ends a request that takes too long, or that another signal ends. `over` then rejects: not every `fetch` heeds
   * a signal (Chromium before 66 has none).
   * @param {AbortSignal} [signal]
   */
  #timeout(signal) {
    const abort = new Abort();
    /** @type {Promise<never>} */
    const over = new Promise((_, reject) => {
      abort.signal.addEventListener("abort", () => reject(new Error("The request was given up.")));
    });
    over.catch(() => {}); // it may come while nobody waits
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
   * @param {AbortSignal} [signal] ends it early
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
