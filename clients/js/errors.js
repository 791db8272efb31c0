/** @import * as api from "./index.js" */

/** An answer other than 200, or none at all (status 0). */
export class ServiceError extends Error {
  retryAfterMs = 0;
  /** Whether `fetch` failed by itself: the network is away, or a page of another origin may not read the answer. */
  isNetworkError = false;

  /** @param {number} status @param {Partial<api.Problem>} [problem] @param {ErrorOptions} [options] */
  constructor(status, problem = {}, options = undefined) {
    super(problem.detail ?? problem.message ?? (status ? `HTTP ${status}` : "The service did not answer."), options);
    this.name = "ServiceError";
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
  }

  /** Whether the same call may do better a little later. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}
