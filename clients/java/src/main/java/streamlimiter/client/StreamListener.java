package streamlimiter.client;

/**
 * A listener for the events of a stream. Each method does nothing unless it is overridden.
 *
 * <p>Calls are made one at a time and in order, by the limiter's {@link StreamLimiter.Builder#callbacks callbacks}; by default
 * in the thread that caused the event: that of {@code start()}, of {@code end()} or of the heartbeats. No lock is held during a
 * call, so a listener may call every method of the stream.
 */
public interface StreamListener {
    /** The slot is held: play. Also called after an automatic restart: then resume only if your code stopped the player. */
    default void onAdmitted(Stream stream) {}

    /**
     * Every slot is taken: stop, and show the streams that hold them, {@code refusal.streams()}. If {@code stream.state()} is
     * still {@code ADMITTED}, only a change of groups was refused: the stream continues in its present groups.
     */
    default void onRefused(Stream stream, ServiceException refusal) {}

    /** The slot was taken away: stop, and show the reason ({@code reason.reason()}) and the device ({@code reason.by()}). */
    default void onGone(Stream stream, ServiceException reason) {}

    /**
     * The lease expired without an answer from the service: another screen may hold the slot now, so pause. The stream tries
     * to restart automatically, until {@code onAdmitted}, {@code onRefused} or {@code onGone} is called.
     */
    default void onLapsed(Stream stream) {}

    /**
     * A start in the background failed: the service did not answer within the patience, deferred the start
     * ({@code error.isTooManyStarts()}), or rejected the call. A slot held before is still held.
     */
    default void onFailed(Stream stream, ServiceException error) {}

    /** The playback token has changed; {@code null} if there is none now. Called before {@code onAdmitted} for a new token. */
    default void onToken(Stream stream, String playbackToken) {}
}
