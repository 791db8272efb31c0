package streamlimiter.client;

import java.io.IOException;
import java.net.URL;
import java.util.Arrays;
import java.util.List;

/**
 * The URL that takes a stream's heartbeats for its playback token, without a login. It saves the service the gateway; the API
 * takes every heartbeat too, so a URL that fails twice in a row is left alone until the lease of that moment is over.
 */
final class HeartbeatUrl {
    private static final int MOST_FAILURES = 2;
    private static final List<String> LOOPBACK = Arrays.asList("localhost", "127.0.0.1", "[::1]");

    private final String ownUserId;
    private Target target;
    private int failures;
    private long leftAloneUntil = Long.MIN_VALUE;

    /** Where a heartbeat may go, and in whose name. */
    static final class Target {
        final String url;
        final String userId;

        Target(String url, String userId) {
            this.url = url;
            this.userId = userId;
        }
    }

    /** @param ownUserId the stream's user; where it is {@code null}, an answer has to say whose stream it is */
    HeartbeatUrl(String ownUserId) {
        this.ownUserId = ownUserId;
    }

    /** Return where the next heartbeat may go; {@code null}: only to the API. */
    synchronized Target target() {
        return target;
    }

    /** Take the URL that an answer of the API names, or none. */
    synchronized void learn(Lease given) {
        if (given.askedAt < leftAloneUntil) {
            return;
        }
        String userId = ownUserId == null ? given.userId : ownUserId;
        boolean isOfUse = userId != null && given.heartbeatUrl != null && isSafe(given.heartbeatUrl);
        target = isOfUse ? new Target(given.heartbeatUrl, userId) : null;
    }

    /** Note that the service has answered there. */
    synchronized void succeed() {
        failures = 0;
    }

    /** Note that it has not; the lease that is held now is over at this moment. */
    synchronized void fail(long leaseUntil) {
        failures += 1;
        if (failures == MOST_FAILURES) {
            target = null;
            failures = 0;
            leftAloneUntil = leaseUntil;
        }
    }

    /** Return whether a playback token may be sent there: nobody reads it on its way. */
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
