import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

import streamlimiter.client.Clock;

/** A clock that stands still until it is moved to the moment that a thread waits for. */
final class HandClock implements Clock {
    private final Map<Thread, Long> waiting = new HashMap<>(); // until when
    private final Map<Thread, Object> monitors = new HashMap<>();
    private final Set<Thread> seen = new HashSet<>();
    private long now;

    @Override
    public synchronized long now() {
        return now;
    }

    @Override
    public void await(Object monitor, long milliseconds) throws InterruptedException {
        Thread thread = Thread.currentThread();
        synchronized (this) {
            seen.add(thread);
            waiting.put(thread, now + milliseconds);
            monitors.put(thread, monitor);
            notifyAll();
        }
        try {
            monitor.wait();
        } finally {
            synchronized (this) {
                waiting.remove(thread);
                monitors.remove(thread);
            }
        }
    }

    /**
     * Wait until the threads' next moment is this one, or the time is up; return the next moment, or -1 if no
     * thread waits.
     */
    synchronized long due(long moment, long withinMilliseconds) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(withinMilliseconds);
        for (long left = deadline - System.nanoTime(); next() != moment && left > 0; left = deadline - System.nanoTime()) {
            TimeUnit.NANOSECONDS.timedWait(this, left);
        }
        return next();
    }

    /** Wait until every thread that has waited before waits again or has ended, or the time is up; return whether they do. */
    synchronized boolean settle(long withinMilliseconds) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(withinMilliseconds);
        while (System.nanoTime() < deadline && !isSettled()) {
            TimeUnit.MILLISECONDS.timedWait(this, 10);
        }
        return isSettled();
    }

    private boolean isSettled() {
        return seen.stream().filter(Thread::isAlive).allMatch(waiting::containsKey);
    }

    /** Move to this moment once it is due; return as {@link #due} does. */
    long passTo(long moment, long withinMilliseconds) throws InterruptedException {
        Map<Thread, Object> woken;
        synchronized (this) {
            long next = due(moment, withinMilliseconds);
            if (next != moment) {
                return next;
            }
            now = moment;
            woken = new HashMap<>(monitors);
        }
        for (Object monitor : woken.values()) {
            synchronized (monitor) {
                monitor.notifyAll();
            }
        }
        return moment;
    }

    private long next() {
        return waiting.values().stream().min(Long::compare).orElse(-1L);
    }
}
