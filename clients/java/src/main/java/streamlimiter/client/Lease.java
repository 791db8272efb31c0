package streamlimiter.client;

import java.util.Map;

/** What a start or a heartbeat was answered: the slot is the stream's until then, by the stream's clock. */
final class Lease {
    private static final double LONGEST_SECONDS = 86_400; // no service is set to more
    private static final double MILLISECONDS_PER_SECOND = 1000;

    final long askedAt;
    final long until;
    final long heartbeatMillis;
    /** False when the store could not be asked: the slot may exist nowhere. */
    final boolean isVerified;
    /** {@code null} if the answer has none. */
    final String playbackToken;
    /** Where the playback token suffices for a heartbeat; {@code null} if the answer names none. */
    final String heartbeatUrl;
    /** Whose stream it is; {@code null} if the answer does not say. */
    final String userId;

    /**
     * @param askedAt when the request was sent: the lease counts from then, so that it is not longer than the service means
     * @throws ServiceException if this is not an answer of the service
     */
    Lease(Map<?, ?> answer, long askedAt) throws ServiceException {
        double lease = seconds(answer, "expiresInSeconds");
        double heartbeat = seconds(answer, "heartbeatSeconds");
        if (!(lease >= 0 && lease <= LONGEST_SECONDS && heartbeat > 0 && heartbeat <= LONGEST_SECONDS)) {
            throw new ServiceException(ServiceException.NOT_THE_SERVICE, null);
        }
        this.askedAt = askedAt;
        // The service rounds down: a lease of no time would lapse, and start again, without a pause.
        this.until = askedAt + (long) (Math.max(lease, heartbeat) * MILLISECONDS_PER_SECOND);
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
