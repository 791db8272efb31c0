package streamlimiter.client;

import java.util.Map;

/** The answer to a start or a heartbeat: the slot is held for this time, by the stream's clock. */
final class Lease {
    private static final double LONGEST_SECONDS = 86_400; // the longest lease a service can have
    private static final double MILLISECONDS_PER_SECOND = 1000;

    final long requestedAt;
    final long until;
    final long heartbeatMillis;
    /** False if the store was unavailable: the slot may not exist. */
    final boolean isVerified;
    /** {@code null} if the answer has none. */
    final String playbackToken;
    /** The URL that accepts heartbeats with the playback token alone; {@code null} if the answer has none. */
    final String heartbeatUrl;
    /** The stream's user; {@code null} if the answer has none. */
    final String userId;

    /**
     * @param requestedAt the time of the request: the lease counts from then, so that it does not exceed the service's own
     * @throws ServiceException if the answer is not from the service
     */
    Lease(Map<?, ?> answer, long requestedAt) throws ServiceException {
        double lease = seconds(answer, "expiresInSeconds");
        double heartbeat = seconds(answer, "heartbeatSeconds");
        if (!(lease >= 0 && lease <= LONGEST_SECONDS && heartbeat > 0 && heartbeat <= LONGEST_SECONDS)) {
            throw new ServiceException(ServiceException.NOT_THE_SERVICE, null);
        }
        this.requestedAt = requestedAt;
        // The service rounds the lease down; a lease of 0 seconds would lapse and restart in an endless loop.
        this.until = requestedAt + (long) (Math.max(lease, heartbeat) * MILLISECONDS_PER_SECOND);
        this.heartbeatMillis = (long) (heartbeat * MILLISECONDS_PER_SECOND);
        this.isVerified = !Boolean.FALSE.equals(answer.get("verified"));
        this.playbackToken = text(answer, "playbackToken");
        this.heartbeatUrl = text(answer, "heartbeatUrl");
        this.userId = text(answer, "userId");
    }

    private static String text(Map<?, ?> answer, String name) {
        Object value = answer.get(name);
        return value instanceof String ? (String) value : null;
    }

    private static double seconds(Map<?, ?> answer, String name) {
        Object value = answer.get(name);
        return value instanceof Double ? (Double) value : Double.NaN;
    }
}
