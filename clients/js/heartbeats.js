/** @import * as api from "./index.js" */
/** @import { ServiceError } from "./errors.js" */

const MOST_FAILURES = 2;
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/**
 * The URL that takes a stream's heartbeats for its playback token, without a login. It saves the service the gateway;
 * the API takes every heartbeat too, so a URL that fails twice in a row is left alone until the lease of that moment is over.
 */
export class HeartbeatUrl {
  /**
   * Where the next heartbeat may go, and in whose name; undefined: only to the API.
   * @type {{ url: string, userId: string } | undefined}
   */
  target;
  #failures = 0;
  #leftAloneUntil = 0;

  /**
   * Take the URL that an answer of the API names, or none. A stream whose user only its login knows needs the user's id too.
   * @param {{ answer: api.Hold, askedAt: number }} held
   * @param {string} [ownUserId]
   */
  learn({ answer: { heartbeatUrl, userId: toldUserId }, askedAt }, ownUserId) {
    if (askedAt < this.#leftAloneUntil) return;
    const userId = ownUserId ?? toldUserId;
    this.target = heartbeatUrl && userId && isSafe(heartbeatUrl) ? { url: heartbeatUrl, userId } : undefined;
  }

  /** Note that the service has answered there. */
  succeed() {
    this.#failures = 0;
  }

  /** @param {number} leaseUntil when the lease that is held now is over */
  fail(leaseUntil) {
    this.#failures += 1;
    if (this.#failures < MOST_FAILURES) return;
    this.#failures = 0;
    this.#leftAloneUntil = leaseUntil;
    this.target = undefined;
  }
}

/**
 * Whether an error is the service's own answer to a heartbeat, so that the API would give the same.
 * @param {ServiceError} error
 */
export function isAnswer({ status, code, isPassing }) {
  return status === 410 || (isPassing && code !== undefined);
}

/**
 * Whether a playback token may be sent there: nobody reads it on its way.
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
