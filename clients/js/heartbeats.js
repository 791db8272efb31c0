/** @import * as api from "./index.js" */
/** @import { ServiceError } from "./errors.js" */

const MAX_FAILURES = 2;
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/**
 * The URL that accepts a stream's heartbeats with its playback token instead of a login. It spares the service the gateway.
 * The API accepts every heartbeat too, so a URL that fails twice in a row is not used until the current lease has expired.
 */
export class HeartbeatUrl {
  /**
   * The URL and the user of the next heartbeat; undefined if only the API may be used.
   * @type {{ url: string, userId: string } | undefined}
   */
  target;
  #failures = 0;
  #disabledUntil = 0;

  /**
   * Store the URL from an API response, if any. A stream without its own user id needs the one from the response as well.
   * @param {{ answer: api.Hold, requestedAt: number }} held
   * @param {string} [ownUserId]
   */
  learn({ answer: { heartbeatUrl, userId: answerUserId }, requestedAt }, ownUserId) {
    if (requestedAt < this.#disabledUntil) return;
    const userId = ownUserId ?? answerUserId;
    this.target = heartbeatUrl && userId && isSafe(heartbeatUrl) ? { url: heartbeatUrl, userId } : undefined;
  }

  /** Record that the service answered at this URL. */
  succeed() {
    this.#failures = 0;
  }

  /** @param {number} leaseUntil when the current lease expires */
  fail(leaseUntil) {
    this.#failures += 1;
    if (this.#failures < MAX_FAILURES) return;
    this.#failures = 0;
    this.#disabledUntil = leaseUntil;
    this.target = undefined;
  }
}

/**
 * Return whether an error is the service's own answer to a heartbeat, in which case the API would return the same.
 * @param {ServiceError} error
 */
export function isAnswer({ status, code, isPassing }) {
  return status === 410 || (isPassing && code !== undefined);
}

/**
 * Return whether a playback token is safe from eavesdroppers on its way to this URL.
 * @param {string} text
 */
function isSafe(text) {
  try {
    const { protocol, hostname } = new URL(text);
    return protocol === "https:" || (protocol === "http:" && LOOPBACK.includes(hostname));
  } catch {
    return false;
  }
}
