package streamlimiter.client;

import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** The service answered with an error, or did not answer. */
public final class ServiceException extends IOException {
    static final String NOT_THE_SERVICE = "What answered is not the service.";

    private static final long serialVersionUID = 1;
    private static final int GONE = 410;
    private static final int TOO_MANY_REQUESTS = 429;
    private static final int FIRST_SERVER_ERROR = 500;

    private final int status;
    private final transient Map<?, ?> problem;
    private final long retryAfterMillis;

    ServiceException(int status, Map<?, ?> problem, long retryAfterMillis) {
        super(messageOf(status, problem));
        this.status = status;
        this.problem = problem;
        this.retryAfterMillis = retryAfterMillis;
    }

    /** What was raised, or found wrong, instead of an answer; it may pass. */
    ServiceException(String message, Throwable cause) {
        super(message, cause);
        this.status = 0;
        this.problem = Collections.emptyMap();
        this.retryAfterMillis = 0;
    }

    /** Return the HTTP status; 0 when nothing answered. */
    public int status() {
        return status;
    }

    /** Return the service's name for the problem, such as {@code limit_reached}; {@code null} if it gave none. */
    public String code() {
        return text(problem, "code");
    }

    /** Return how long the service asks to wait before the next try, in milliseconds; 0 if it does not say. */
    public long retryAfterMillis() {
        return retryAfterMillis;
    }

    /** Return whether the start is put off: there is a slot, but too many streams that are over have a playback token. */
    public boolean isTooManyStarts() {
        return "too_many_starts".equals(code());
    }

    /** Return whether every slot is taken, in all or in one of the stream's groups. */
    public boolean isLimitReached() {
        return "limit_reached".equals(code());
    }

    /** Return who holds the slots, the oldest stream first, if the limit is reached; otherwise nothing. */
    public List<StreamView> streams() {
        return StreamView.listOf(problem == null ? null : problem.get("streams"));
    }

    /** Return the name of the group that is full; {@code null} if the limit of all streams is reached. */
    public String fullGroup() {
        return text(limit(), "group");
    }

    /** Return the limit of the group that is full; 0 if the limit of all streams is reached. */
    public int fullGroupMax() {
        Object max = limit().get("max");
        return max instanceof Double ? ((Double) max).intValue() : 0;
    }

    /**
     * Return why the slot was taken away, for people only: {@code replaced}, {@code evicted}, {@code ended} or
     * {@code expired}; {@code null} if the service cannot say.
     */
    public String reason() {
        return text(problem, "reason");
    }

    /** Return the device that took the slot; {@code null} if the service cannot say, or the device gave no name. */
    public String by() {
        return text(problem, "by");
    }

    boolean isGone() {
        return status == GONE;
    }

    /** Return whether this is the service's own answer to a heartbeat: the API would give the same as the heartbeat URL. */
    boolean isAnswer() {
        return isGone() || isPassing() && code() != null;
    }

    /** Return whether the same call may do better a little later. */
    boolean isPassing() {
        return status == 0 || status == TOO_MANY_REQUESTS || status >= FIRST_SERVER_ERROR;
    }

    boolean names(String streamId) {
        for (StreamView stream : streams()) {
            if (stream.streamId().equals(streamId)) {
                return true;
            }
        }
        return false;
    }

    private Map<?, ?> limit() {
        Object limit = problem == null ? null : problem.get("limit");
        return limit instanceof Map ? (Map<?, ?>) limit : Collections.emptyMap();
    }

    private static String messageOf(int status, Map<?, ?> problem) {
        String detail = text(problem, "detail");
        String message = detail == null ? text(problem, "message") : detail;
        return message == null ? "HTTP " + status : message;
    }

    private static String text(Map<?, ?> problem, String name) {
        Object value = problem == null ? null : problem.get(name);
        return value instanceof String ? (String) value : null;
    }
}
