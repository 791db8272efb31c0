/** Minimal substitutes for web APIs that older televisions lack. */
import { scope } from "./scope.js";

/** An event target backed by a DOM node, for browsers without the EventTarget constructor (Chromium before 64). */
class NodeEvents {
  #node = scope.document.createDocumentFragment();

  /** @param {Parameters<EventTarget["addEventListener"]>} listening */
  addEventListener(...listening) {
    this.#node.addEventListener(...listening);
  }

  /** @param {Parameters<EventTarget["removeEventListener"]>} listening */
  removeEventListener(...listening) {
    this.#node.removeEventListener(...listening);
  }

  /** @param {Event} event */
  dispatchEvent(event) {
    return this.#node.dispatchEvent(event);
  }
}

function isEventTargetMade() {
  try {
    return new EventTarget() !== null;
  } catch {
    return false;
  }
}

/** @type {typeof EventTarget} */
export const Events = isEventTargetMade() ? EventTarget : NodeEvents;

/** An AbortController that does not cancel requests already sent, for Chromium before 66. */
class SimpleAbort {
  signal = Object.assign(new Events(), { aborted: false });

  abort() {
    if (this.signal.aborted) return;
    this.signal.aborted = true;
    this.signal.dispatchEvent(new CustomEvent("abort"));
  }
}

/** @type {typeof AbortController} */
export const Abort = scope.AbortController ?? /** @type {any} */ (SimpleAbort);

/**
 * Listen to events until the returned function is called. Listeners with a `signal` would need Chromium 90.
 * @param {Pick<EventTarget, "addEventListener" | "removeEventListener">} target
 * @param {Record<string, (event: any) => void>} listeners by event type
 */
export function listen(target, listeners) {
  const kinds = Object.keys(listeners);
  for (const kind of kinds) target.addEventListener(kind, listeners[kind]);
  return () => kinds.forEach((kind) => target.removeEventListener(kind, listeners[kind]));
}
