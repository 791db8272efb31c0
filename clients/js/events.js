/** What televisions of some years ago lack, in as little as the client needs of it. */
import { scope } from "./scope.js";

/** Nodes take and send events, also where an EventTarget cannot be made (Chromium before 64). */
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

/** An AbortController, which ends no request that is on its way (Chromium before 66). */
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
 * Hear events until the function that is returned is called; listeners with a `signal` are of Chromium 90.
 * @param {Pick<EventTarget, "addEventListener" | "removeEventListener">} target
 * @param {Record<string, (event: any) => void>} listeners by the kind of event
 */
export function listen(target, listeners) {
  const kinds = Object.keys(listeners);
  for (const kind of kinds) target.addEventListener(kind, listeners[kind]);
  return () => kinds.forEach((kind) => target.removeEventListener(kind, listeners[kind]));
}
