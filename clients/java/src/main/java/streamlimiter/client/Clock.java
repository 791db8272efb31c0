package streamlimiter.client;

/** The clock that leases are measured by, and how the client waits by it. */
public interface Clock {
    /**
     * Return the time in milliseconds since any fixed moment. It must never go back, and it should go on while the device
     * sleeps, as a lease does: on Android that is {@code SystemClock.elapsedRealtime()}.
     */
    long now();

    /**
     * Wait until the monitor is notified, or so many milliseconds have passed, or some other moment before that: the caller,
     * who holds the monitor, then looks at {@link #now()} again.
     *
     * <p>By default no wait is longer than a second. The system's timers stand still while a device sleeps, so after it wakes
     * a longer one would be late by as long as it slept.
     */
    default void await(Object monitor, long milliseconds) throws InterruptedException {
        monitor.wait(Math.max(1, Math.min(milliseconds, 1000)));
    }
}
