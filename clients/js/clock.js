import { scope } from "./scope.js";

/** @import { Clock } from "./index.js" */

/** A hidden page's timers may be a minute late, a worker's are not: each timer is set in both, and the first one counts. */
const TICKER = "onmessage = ({ data: [id, delay] }) => setTimeout(() => postMessage(id), delay)";

/** @type {Map<number, () => void>} */
const waiting = new Map();
let latest = 0;
/** @type {Worker | null | undefined} */
let ticker;

/** @type {Clock} */
export const systemClock = {
  now: () => Date.now(), // not performance.now(), which stops while a laptop sleeps, although leases expire
  after(milliseconds, callback) {
    const id = (latest += 1);
    const timer = setTimeout(fire, milliseconds, id);
    const cancel = () => {
      clearTimeout(timer);
      waiting.delete(id);
    };
    waiting.set(id, () => (cancel(), callback()));
    tickerOfPage()?.postMessage([id, milliseconds]);
    return cancel;
  },
};

/** @param {number} id */
function fire(id) {
  waiting.get(id)?.();
}

/** Return the page's worker; null outside a page, or if the Content-Security-Policy lacks `worker-src blob:`. */
function tickerOfPage() {
  if (ticker !== undefined) return ticker;
  ticker = null;
  if (!scope.document || !scope.Worker) return ticker;
  try {
    ticker = new Worker(URL.createObjectURL(new Blob([TICKER], { type: "text/javascript" })));
    ticker.onmessage = ({ data }) => fire(data);
  } catch {
    // without a worker, the page's own timers have to suffice
  }
  return ticker;
}
