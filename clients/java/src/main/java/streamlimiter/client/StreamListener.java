package streamlimiter.client;

/**
 * What happens to a stream. Each method does nothing unless it is overridden.
 *
 * <p>Calls come one at a time and in order, by the limiter's {@link StreamLimiter.Builder#callbacks callbacks}; without these,
 * in whichever thread brought the news: of {@code start()}, of {@code end()} or of the heartbeats. No lock is held meanwhile: a
 * listener may call every method of the stream.
 */
public interface StreamListener {
    /** The slot is the stream's: play. Also after a start that the stream made by itself: then resume only what you stopped. */
    default void onAdmitted(Stream stream) {}

    /**
     * Every slot is taken: stop, and show {@code refusal.streams()}, who holds them. If {@code stream.state()} is still
     * {@code ADMITTED}, only a change of groups was refused: the stream goes on in those that it has.
     */
    default void onRefused(Stream stream, ServiceException refusal) {}

    /** The slot was taken away: stop, and say why ({@code reason.reason()}) and by which device ({@code reason.by()}). */
    default void onGone(Stream stream, ServiceException reason) {}

    /**
     * The lease ran out without an answer of the service: another screen may have the slot by now, so pause. The stream
     * starts again by itself, for as long as it takes; then {@code onAdmitted}, {@code onRefused} or {@code onGone} comes.
     */
    default void onLapsed(Stream stream) {}

    /**
     * A start in the background came to nothing: the service did not answer for long, put the start off
     * ({@code error.isTooManyStarts()}), or takes the call for wrong. What was held before is held still.
     */
    default void onFailed(Stream stream, ServiceException error) {}

    /** The playback token is another one; {@code null} when there is none any more. A new one comes before {@code onAdmitted}. */
    default void onToken(Stream stream, String playbackToken) {}
}
