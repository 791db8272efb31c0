package streamlimiter.client;

import java.io.IOException;
import java.net.URL;
import java.util.Arrays;
import java.util.List;

/**
 * The URL that accepts a stream's heartbeats with its playback token instead of a login. It spares the service the gateway. The
 * API accepts every heartbeat too, so a URL that fails twice in a row is not used until the current lease has expired.
 */
final class HeartbeatUrl {
    private static final int MAX_FAILURES = 2;
    private static final List<String> LOOPBACK = Arrays.asList("localhost", "127.0.0.1", "[::1]");

    private final String ownUserId;
    private Target target;
    private int failures;
    private long disabledUntil = Long.MIN_VALUE;

    /** The URL and the user of a heartbeat. */
    static final class Target {
        final String url;
        final String userId;

        Target(String url, String userId) {
            this.url = url;
            this.userId = userId;
        }
    }

    /** @param ownUserId the stream's user; if it is {@code null}, the answer must name the user */
    HeartbeatUrl(String ownUserId) {
        this.ownUserId = ownUserId;
    }

    /** Return the URL and the user of the next heartbeat; {@code null} if only the API may be used. */
    synchronized Target target() {
        return target;
    }

    /** Store the URL from an answer of the API, if it has one. */
    synchronized void learn(Lease given) {
        if (given.requestedAt < disabledUntil) {
            return;
        }
        String userId = ownUserId == null ? given.userId : ownUserId;
        boolean isOfUse = userId != null && given.heartbeatUrl != null && isSafe(given.heartbeatUrl);
        target = isOfUse ? new Target(given.heartbeatUrl, userId) : null;
    }

    /** Record that the service answered at this URL. */
    synchronized void succeed() {
        failures = 0;
    }

    /** Record a failure of the URL. After the second in a row, do not use it until {@code leaseUntil}. */
    synchronized void fail(long leaseUntil) {
        failures += 1;
        if (failures == MAX_FAILURES) {
            target = null;
            failures = 0;
            disabledUntil = leaseUntil;
        }
    }

    /** Return whether a playback token is safe from eavesdroppers on its way to this URL. */
    private static boolean isSafe(String text) {
        try {
            URL url = new URL(text);
            String protocol = url.getProtocol();
            return "https".equals(protocol) || "http".equals(protocol) && LOOPBACK.contains(url.getHost());
        } catch (IOException malformed) {
            return false;
        }
    }
}
