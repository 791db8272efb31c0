package streamlimiter.client;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;

/**
 * The device's clock: on Android {@code android.os.SystemClock.elapsedRealtime()}, which continues while the device sleeps;
 * elsewhere {@code System.nanoTime()}, which may stop. Android's clock is called by reflection, so that the library compiles
 * without Android.
 */
final class DeviceClock implements Clock {
    private static final long NANOSECONDS_PER_MILLISECOND = 1_000_000;

    private final Method elapsedRealtime = elapsedRealtime();

    @Override
    public long now() {
        if (elapsedRealtime == null) {
            return System.nanoTime() / NANOSECONDS_PER_MILLISECOND;
        }
        try {
            return (Long) elapsedRealtime.invoke(null);
        } catch (IllegalAccessException | InvocationTargetException impossible) {
            throw new IllegalStateException(impossible); // the method is public and throws nothing
        }
    }

    private static Method elapsedRealtime() {
        try {
            return Class.forName("android.os.SystemClock").getMethod("elapsedRealtime");
        } catch (ClassNotFoundException | NoSuchMethodException notAndroid) {
            return null;
        }
    }
}
