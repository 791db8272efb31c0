import { scope } from "./scope.js";

/** @import { Clock } from "./index.js" */

/** A hidden page's timers may wait for a minute, a worker's do not: each timer is set in both, and the first one counts. */
const TICKER = "onmessage = ({ data: [id, delay] }) => setTimeout(() => postMessage(id), delay)";

/** @type {Map<number, () => void>} */
const waiting = new Map();
let latest = 0;
/** @type {Worker | null | undefined} */
let ticker;

/** @type {Clock} */
export const systemClock = {
  now: () => Date.now(), // not performance.now(): that stands still while a laptop sleeps, and leases do not
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

/** None outside of a page, or where its Content-Security-Policy has no `worker-src blob:`. */
function tickerOfPage() {
  if (ticker !== undefined) return ticker;
  ticker = null;
  if (!scope.document || !scope.Worker) return ticker;
  try {
    ticker = new Worker(URL.createObjectURL(new Blob([TICKER], { type: "text/javascript" })));
    ticker.onmessage = ({ data }) => fire(data);
  } catch {
    // then the page's own timers have to do
  }
  return ticker;
}
