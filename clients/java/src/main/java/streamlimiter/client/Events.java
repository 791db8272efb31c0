package streamlimiter.client;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;

/**
 * A stream's calls of its listener. They are queued in the order of the stream's changes while its lock is held, and made without
 * the lock, by one thread at a time.
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

    /** Make the queued calls, unless another thread is already doing so: that thread then makes these too. */
    void deliver() {
        for (Runnable call = next(true); call != null; call = next(false)) {
            try {
                callbacks.execute(call);
            } catch (Throwable mistake) { // an error of the listener must not stop heartbeats; report it as uncaught
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
