package streamlimiter.client;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;

/**
 * A stream's calls of its listener. They are queued while the stream's lock is held, in the order of its changes, and made when it
 * is not, by one thread at a time.
 */
final class Events {
    private final Executor callbacks;
    private final Queue<Runnable> waiting = new ArrayDeque<>();
    private boolean isDelivering;

    Events(Executor callbacks) {
        this.callbacks = callbacks;
    }

    synchronized void add(Runnable call) {
        waiting.add(call);
    }

    /** Make the calls that wait, unless another thread is about it: then that one makes these too. */
    void deliver() {
        for (Runnable call = next(true); call != null; call = next(false)) {
            try {
                callbacks.execute(call);
            } catch (Throwable mistake) { // the listener's: heartbeats go on, and it is reported as any uncaught one
                Thread thread = Thread.currentThread();
                thread.getUncaughtExceptionHandler().uncaughtException(thread, mistake);
            }
        }
    }

    private synchronized Runnable next(boolean isFirst) {
        if (isFirst && isDelivering) {
            return null;
        }
        isDelivering = !waiting.isEmpty();
        return waiting.poll();
    }
}
