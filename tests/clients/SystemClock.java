package android.os;

/** Stands for Android's, of a device that slept for as long as the property {@code slept} says. */
public final class SystemClock {
    private SystemClock() {}

    public static long elapsedRealtime() {
        return System.nanoTime() / 1_000_000 + Long.getLong("slept", 0);
    }
}
