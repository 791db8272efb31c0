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

    /** Create a temporary error, for a missing or invalid answer. */
    ServiceException(String message, Throwable cause) {
        super(message, cause);
        this.status = 0;
        this.problem = Collections.emptyMap();
        this.retryAfterMillis = 0;
    }

    /** Return the HTTP status; 0 if there was no answer. */
    public int status() {
        return status;
    }

    /** Return the service's name for the problem, such as {@code limit_reached}; {@code null} if the answer has none. */
    public String code() {
        return text(problem, "code");
    }

    /** Return the wait before the next try that the service requests, in milliseconds; 0 if it requests none. */
    public long retryAfterMillis() {
        return retryAfterMillis;
    }

    /** Return whether the start is deferred: a slot is free, but too many ended streams have an unexpired playback token. */
    public boolean isTooManyStarts() {
        return "too_many_starts".equals(code());
    }

    /** Return whether every slot of the user, or of one of the stream's groups, is taken. */
    public boolean isLimitReached() {
        return "limit_reached".equals(code());
    }

    /** Return the streams that hold the slots, oldest first; empty unless the limit was reached. */
    public List<StreamView> streams() {
        return StreamView.listOf(problem == null ? null : problem.get("streams"));
    }

    /** Return the name of the group that is full; {@code null} if the limit of all streams was reached. */
    public String fullGroup() {
        return text(limit(), "group");
    }

    /** Return the limit of the group that is full; 0 if the limit of all streams was reached. */
    public int fullGroupMax() {
        Object max = limit().get("max");
        return max instanceof Double ? ((Double) max).intValue() : 0;
    }

    /**
     * Return the reason for the loss of the slot, for display only: {@code replaced}, {@code evicted}, {@code ended} or
     * {@code expired}; {@code null} if unknown to the service.
     */
    public String reason() {
        return text(problem, "reason");
    }

    /** Return the name of the device that took the slot; {@code null} if it has none or is unknown to the service. */
    public String by() {
        return text(problem, "by");
    }

    boolean isGone() {
        return status == GONE;
    }

    /** Return whether this is the service's own answer to a heartbeat, which the API would return too. */
    boolean isAnswer() {
        return isGone() || isPassing() && code() != null;
    }

    /** Return whether the same call may succeed later. */
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
