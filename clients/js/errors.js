/** @import * as api from "./index.js" */

/** A response other than 200, or no response at all (status 0). */
export class ServiceError extends Error {
  retryAfterMs = 0;
  /** True if `fetch` itself failed: the network is down, or CORS hides the response from the page. */
  isNetworkError = false;

  /** @param {number} status @param {Partial<api.Problem>} [problem] @param {ErrorOptions} [options] */
  constructor(status, problem = {}, options = undefined) {
    super(problem.detail ?? problem.message ?? (status ? `HTTP ${status}` : "The service did not answer."), options);
    this.name = "ServiceError";
    this.status = status;
    this.code = problem.code;
    this.problem = problem;
  }

  /** True if the same call may succeed later. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}
