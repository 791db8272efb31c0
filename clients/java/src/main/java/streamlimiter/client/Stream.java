package streamlimiter.client;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One screen's stream, for one play after the other. A daemon thread sends its heartbeats; another one watches its lease.
 *
 * <p>It may be used by several threads. One lock guards what it knows; no request is sent and no listener called while it is held.
 * What a request brings counts only if nothing made it obsolete meanwhile: an end, a loss, a lapse, or a later start.
 *
 * <p>{@link #start()} and {@link #end()} wait for the service, for 20 seconds at most as a rule: call them in a thread that may.
 * Android's main thread calls {@link #startInBackground} and {@link #endInBackground}, which do not wait.
 */
public final class Stream {
    /** Where a stream stands. */
    public enum State {
        /** It was not started, or its start was not answered. */
        IDLE,
        /** A start waits for its answer, and no slot is held. */
        STARTING,
        /** The slot is the stream's. */
        ADMITTED,
        /** The lease ran out without an answer of the service; the stream starts again by itself. */
        LAPSED,
        /** Every slot was taken. */
        REFUSED,
        /** The slot was taken away. */
        GONE,
        /** It was ended or abandoned. */
        ENDED
    }

    private static final long ENDLESS = Long.MAX_VALUE;

    private final StreamLimiter limiter;
    private final StreamListener listener;
    private final Events events;
    private final String userId;
    private final String device;
    private final String streamId;
    private final HeartbeatUrl heartbeatUrl;

    private final Object lock = new Object(); // guards all that follows; notified of each change that a thread may wait for
    private State state = State.IDLE;
    private Object life = new Object(); // another one once the slot is given back or lost
    private Attempt asking; // the latest start, while it is not answered
    private Lease lease; // the latest one of this life; null before it
    private List<String> groups; // of the latest start that was admitted
    private String replaces; // what the latest start was to replace, until it is known to be over
    private String play = StreamOptions.freshName(); // tells this play from those before it: their late ends do not count
    private String token;
    private long tokenUntil;
    private long nextHeartbeatAt;
    private boolean isBeating;
    private int failures;

    Stream(StreamLimiter limiter, StreamOptions options, StreamListener listener) {
        this.limiter = limiter;
        this.listener = listener;
        this.events = new Events(limiter.callbacks);
        this.userId = options.userId;
        this.device = options.device;
        this.streamId = options.streamId;
        this.heartbeatUrl = new HeartbeatUrl(options.userId);
        this.groups = options.groups;
    }

    /** A start that was asked for, and what it asks. */
    private static final class Attempt {
        final Map<String, Object> body;
        final String replaces;
        final List<String> groups;

        Attempt(Map<String, Object> body, String replaces, List<String> groups) {
            this.body = body;
            this.replaces = replaces;
            this.groups = groups;
        }
    }

    /** One call of the service. */
    private interface Call<T> {
        T send() throws ServiceException;
    }

    /** Return the screen's name, which stays the same: store it. */
    public String streamId() {
        return streamId;
    }

    /** Return where the stream stands. */
    public State state() {
        synchronized (lock) {
            return state;
        }
    }

    /** Return the newest playback token, for the CDN; {@code null} when there is none, or it is over. */
    public String playbackToken() {
        synchronized (lock) {
            return limiter.clock.now() < tokenUntil ? token : null;
        }
    }

    /** Take a slot, or go on in the one that is held, as for the next episode. See {@link #start(String, Collection)}. */
    public boolean start() throws ServiceException {
        return start(null, null);
    }

    /**
     * Take a slot, and keep it by heartbeats. A slot that is held already serves the next play. When this throws, what was held
     * is held still, as it is when other groups are refused, and what had lapsed goes on starting by itself. The latest start
     * counts, and an end ends it.
     *
     * @param replaces the name of another screen's stream, which ends in the same moment; {@code null} for none
     * @param groups those that the stream counts in from now on; {@code null} for those that it has
     * @return true if it is admitted; false if it is refused, or came to nothing by an end or a later start
     * @throws ServiceException if the service does not answer for long, puts the start off for longer than that
     *     ({@link ServiceException#isTooManyStarts()}), or takes the call for wrong
     */
    public boolean start(String replaces, Collection<String> groups) throws ServiceException {
        Attempt attempt = open(replaces, groups);
        try {
            return take(attempt, () -> limiter.lease("/stream/start", attempt.body), limiter.patienceMillis);
        } finally {
            giveUp(attempt);
            events.deliver();
        }
    }

    /** Start as {@link #start()} does, without waiting. See {@link #startInBackground(String, Collection)}. */
    public void startInBackground() {
        startInBackground(null, null);
    }

    /** Start as {@link #start(String, Collection)} does, without waiting: the listener is called with what comes of it. */
    public void startInBackground(String replaces, Collection<String> groups) {
        Attempt attempt = open(replaces, groups);
        limiter.threads.execute(() -> {
            try {
                take(attempt, startOf(attempt), limiter.patienceMillis);
            } catch (ServiceException error) {
                giveUp(attempt);
                events.add(() -> listener.onFailed(this, error));
            }
            events.deliver();
        });
    }

    /** Give the slot back. Return false if the service could not be reached: then the lease ends it. */
    public boolean end() {
        Map<String, Object> body = leave();
        try {
            return body == null || insist(() -> limiter.end(body), limiter.patienceMillis, null);
        } catch (ServiceException reason) {
            return false;
        }
    }

    /** Give the slot back without waiting, and without a word of it. A start after it may go first: it is of another play. */
    public void endInBackground() {
        Map<String, Object> body = leave();
        if (body != null) {
            limiter.threads.execute(() -> {
                try {
                    insist(() -> guarded(() -> limiter.end(body)), limiter.patienceMillis, null);
                } catch (ServiceException reason) { // then the lease ends it
                }
            });
        }
    }

    /** Stop without a word, as a crash does: the slot comes back when the lease runs out. */
    public void abandon() {
        synchronized (lock) {
            close(State.ENDED);
        }
        events.deliver();
    }

    private Attempt open(String replaces, Collection<String> groups) {
        Attempt attempt;
        synchronized (lock) {
            if (!isHeld()) {
                close(State.STARTING);
            }
            String other = replaces == null ? this.replaces : replaces;
            attempt = ask(other, groups == null ? this.groups : new ArrayList<>(groups));
        }
        events.deliver();
        return attempt;
    }

    /** Let the slot go; return the body of the end, or null if there is nothing to end. */
    private Map<String, Object> leave() {
        Map<String, Object> body = null;
        synchronized (lock) {
            if (isHeld()) {
                body = body();
                putGroups(body, groups); // named, they are ended in one write
                play = StreamOptions.freshName();
            }
            close(State.ENDED);
        }
        events.deliver();
        return body;
    }

    /** Take the slot that was asked for: true if it is admitted, false if it is refused or not wanted any more. */
    private boolean take(Attempt attempt, Call<Lease> call, long patienceMillis) throws ServiceException {
        try {
            Lease given = insist(call, patienceMillis, attempt);
            synchronized (lock) {
                return asking == attempt && admit(attempt, given);
            }
        } catch (ServiceException error) {
            synchronized (lock) {
                if (asking == attempt && error.isLimitReached()) {
                    refuse(error);
                } else if (asking == attempt) {
                    throw error;
                }
                return false;
            }
        } finally {
            events.deliver();
        }
    }

    /** Note that a start has failed: what was before it goes on. Without effect after one that was answered. */
    private void giveUp(Attempt attempt) {
        synchronized (lock) {
            if (asking == attempt) {
                asking = null;
                if (state == State.STARTING) {
                    close(State.IDLE);
                } else if (state == State.LAPSED) {
                    startAgain(State.LAPSED);
                }
            }
        }
    }

    private Call<Lease> startOf(Attempt attempt) {
        return () -> guarded(() -> limiter.lease("/stream/start", attempt.body));
    }

    /** Take the slot without being asked to: for as long as it takes. */
    private void takeByItself(Attempt attempt) {
        try {
            take(attempt, startOf(attempt), ENDLESS);
        } catch (ServiceException error) {
            synchronized (lock) {
                if (asking == attempt) {
                    lose(State.GONE, () -> listener.onGone(this, error));
                }
            }
        }
        events.deliver();
    }

    /** Watch a life until it is over: its heartbeats, its token and its lease, each when it is due. */
    private void watch(Object watched) {
        while (goOn(watched)) {
            events.deliver();
        }
        events.deliver();
    }

    /** Do what is due, or wait for it; return whether the life goes on. */
    private boolean goOn(Object watched) {
        synchronized (lock) {
            if (life != watched) {
                return false;
            }
            long now = limiter.clock.now();
            if (now >= lease.until) {
                lapse();
                return false;
            }
            if (token != null && now >= tokenUntil) {
                setToken(null, 0);
            } else if (now >= nextHeartbeatAt && !isBeating) {
                isBeating = true;
                Lease before = lease;
                Map<String, Object> body = body();
                String playbackToken = token;
                limiter.threads.execute(() -> beat(watched, before, body, playbackToken));
            } else if (!await(nextDue() - now)) {
                Thread.interrupted(); // by a listener: the thread is ours, and goes on
            }
            return true;
        }
    }

    /** Send one heartbeat. Where a start was answered meanwhile, what comes back is of before it, and does not count. */
    private void beat(Object beating, Lease before, Map<String, Object> body, String playbackToken) {
        Lease given = null;
        ServiceException error = null;
        try {
            given = extendByToken(beating, body, playbackToken);
            if (given == null) {
                given = guarded(() -> limiter.lease("/stream/heartbeat", body));
                heartbeatUrl.learn(given);
            }
        } catch (ServiceException reason) {
            error = reason;
        }
        synchronized (lock) {
            if (life == beating) {
                isBeating = false;
                if (lease == before) {
                    follow(given, error);
                }
                lock.notifyAll();
            }
        }
        events.deliver();
    }

    /** Ask the heartbeat URL; return null if the API is to be asked. */
    private Lease extendByToken(Object beating, Map<String, Object> body, String playbackToken) throws ServiceException {
        HeartbeatUrl.Target target = heartbeatUrl.target();
        if (target == null || playbackToken == null) {
            return null;
        }
        try {
            Lease given = guarded(() -> limiter.renew(target, body, playbackToken));
            heartbeatUrl.succeed();
            return given;
        } catch (ServiceException error) {
            synchronized (lock) {
                if (error.isAnswer() || life != beating) {
                    throw error;
                }
                heartbeatUrl.fail(lease.until);
            }
            return null;
        }
    }

    private void follow(Lease given, ServiceException error) {
        if (given != null) {
            hold(given, replaces);
        } else if (!error.isGone() || asking != null) { // while a start is not answered, its answer decides
            failures += 1;
            nextHeartbeatAt = limiter.clock.now() + limiter.delay(failures, error, lease.heartbeatMillis);
        } else if (lease.isVerified) {
            lose(State.GONE, () -> listener.onGone(this, error));
        } else { // the slot may exist nowhere: that is no eviction
            startAgain(State.STARTING);
        }
    }

    // All that follows, but for insist, pause and guarded, is called with the lock held.

    /** Return whether the slot is held, or asked for: the answer may come any moment. */
    private boolean isHeld() {
        return state == State.STARTING || state == State.ADMITTED || state == State.LAPSED;
    }

    private Attempt ask(String replaced, List<String> asked) {
        String other = streamId.equals(replaced) ? null : replaced;
        Map<String, Object> body = body();
        put(body, "device", device);
        put(body, "replaces", other);
        putGroups(body, asked);
        asking = new Attempt(body, other, asked);
        lock.notifyAll(); // an earlier start has come to nothing
        return asking;
    }

    private long nextDue() {
        long due = token == null ? lease.until : Math.min(lease.until, tokenUntil);
        return isBeating ? due : Math.min(due, nextHeartbeatAt);
    }

    private boolean admit(Attempt attempt, Lease given) {
        boolean isWatched = state == State.ADMITTED;
        asking = null;
        groups = attempt.groups;
        state = State.ADMITTED;
        hold(given, attempt.replaces);
        heartbeatUrl.learn(given);
        events.add(() -> listener.onAdmitted(this));
        if (!isWatched) {
            Object begun = life;
            limiter.threads.execute(() -> watch(begun));
        }
        return true;
    }

    private void refuse(ServiceException refusal) {
        if (state == State.ADMITTED && refusal.names(streamId)) { // other groups are full: it goes on in those that it has
            asking = null;
            events.add(() -> listener.onRefused(this, refusal));
        } else {
            lose(State.REFUSED, () -> listener.onRefused(this, refusal));
        }
    }

    private void hold(Lease given, String replaced) {
        lease = given;
        failures = 0;
        nextHeartbeatAt = limiter.clock.now() + given.heartbeatMillis;
        replaces = given.isVerified ? null : replaced; // after an unverified start it may not be over
        if (given.playbackToken != null) {
            setToken(given.playbackToken, given.until);
        }
        lock.notifyAll();
    }

    /** Another screen may have the slot by now. A start that waits for its answer will tell; otherwise one is made. */
    private void lapse() {
        Attempt underWay = asking;
        if (underWay == null) {
            startAgain(State.LAPSED);
        } else {
            letGo(State.LAPSED);
            asking = underWay;
        }
        events.add(() -> listener.onLapsed(this));
    }

    private void startAgain(State meanwhile) {
        letGo(meanwhile);
        Attempt attempt = ask(replaces, groups);
        limiter.threads.execute(() -> takeByItself(attempt));
    }

    private void lose(State how, Runnable event) {
        close(how);
        events.add(event);
    }

    private void close(State next) {
        letGo(next);
        replaces = null;
    }

    /** Nothing is held any more; what a start has to replace is known still. */
    private void letGo(State next) {
        state = next;
        life = new Object();
        asking = null;
        lease = null;
        isBeating = false;
        failures = 0;
        setToken(null, 0);
        lock.notifyAll();
    }

    private void setToken(String newest, long until) {
        boolean isAnother = newest == null ? token != null : !newest.equals(token);
        token = newest;
        tokenUntil = until;
        if (isAnother) {
            events.add(() -> listener.onToken(this, newest));
        }
    }

    private Map<String, Object> body() {
        Map<String, Object> body = new LinkedHashMap<>();
        put(body, "userId", userId);
        put(body, "streamId", streamId);
        put(body, "play", play);
        return body;
    }

    private static void put(Map<String, Object> body, String name, Object value) {
        if (value != null) {
            body.put(name, value);
        }
    }

    private static void putGroups(Map<String, Object> body, List<String> groups) {
        put(body, "groups", groups.isEmpty() ? null : groups);
    }

    /** Repeat a call until it is answered, refused for good, obsolete, or patience has run out. */
    private <T> T insist(Call<T> call, long patienceMillis, Attempt attempt) throws ServiceException {
        long beganAt = limiter.clock.now();
        for (int calls = 1; ; calls += 1) {
            try {
                return call.send();
            } catch (ServiceException error) {
                long delay = limiter.delay(calls, error, Long.MAX_VALUE);
                boolean isTooLate = limiter.clock.now() - beganAt + delay > patienceMillis;
                if (!error.isPassing() || isTooLate || !pause(delay, attempt)) {
                    throw error;
                }
            }
        }
    }

    /** Wait, unless the attempt is or becomes obsolete: then return false. */
    private boolean pause(long milliseconds, Attempt attempt) {
        synchronized (lock) {
            long until = limiter.clock.now() + milliseconds;
            for (long left = milliseconds; left > 0 && isWanted(attempt); left = until - limiter.clock.now()) {
                if (!await(left)) {
                    return false;
                }
            }
            return isWanted(attempt);
        }
    }

    private boolean isWanted(Attempt attempt) {
        return attempt == null || attempt == asking;
    }

    /** Wait on the lock; return false if the thread is interrupted, as it then is still. */
    private boolean await(long milliseconds) {
        try {
            limiter.clock.await(lock, milliseconds);
            return true;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Send a call that nobody waits for: a mistake on its way, or an interruption, is a failure that may pass. */
    private static <T> T guarded(Call<T> call) throws ServiceException {
        try {
            return call.send();
        } catch (RuntimeException mistake) {
            throw new ServiceException("The request failed.", mistake);
        } finally {
            Thread.interrupted();
        }
    }
}
