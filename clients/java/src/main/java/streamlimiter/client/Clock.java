package streamlimiter.client;

/** The clock that measures leases, and the wait that depends on it. */
public interface Clock {
    /**
     * Return the time in milliseconds since any fixed moment. It must never go backwards, and should continue while the
     * device sleeps, as a lease does: on Android, use {@code SystemClock.elapsedRealtime()}.
     */
    long now();

    /**
     * Wait until the monitor is notified or the given time has passed. The wait may also end earlier: the caller, which holds
     * the monitor, then checks {@link #now()} again.
     *
     * <p>By default a wait lasts a second at most. The system's timers stop while the device sleeps, so a longer wait would be
     * late by the time slept.
     */
    default void await(Object monitor, long milliseconds) throws InterruptedException {
        monitor.wait(Math.max(1, Math.min(milliseconds, 1000)));
    }
}
