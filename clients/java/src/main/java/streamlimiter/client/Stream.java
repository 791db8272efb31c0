package streamlimiter.client;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * One screen's stream, which serves one play after another. A daemon thread sends its heartbeats; another watches its lease.
 *
 * <p>It is thread-safe. One lock guards its state; no request is sent and no listener is called while the lock is held. An answer
 * counts only if nothing has made it obsolete meanwhile: an end, a loss, a lapse, or a later start.
 *
 * <p>{@link #start()} and {@link #end()} wait for the service, usually 20 seconds at most: call them in a thread that may block.
 * On Android's main thread, call {@link #startInBackground} and {@link #endInBackground}, which do not wait.
 */
public final class Stream {
    /** The state of a stream. */
    public enum State {
        /** The stream was not started, or its start failed. */
        IDLE,
        /** A start is pending, and no slot is held. */
        STARTING,
        /** The slot is held. */
        ADMITTED,
        /** The lease expired without an answer from the service; the stream restarts automatically. */
        LAPSED,
        /** Every slot was taken. */
        REFUSED,
        /** The slot was taken away. */
        GONE,
        /** The stream was ended or abandoned. */
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

    private final Object lock = new Object(); // guards all fields below; notified of each change that a thread may await
    private State state = State.IDLE;
    private Object life = new Object(); // replaced when the slot is given back or lost
    private Attempt pendingStart; // the latest start, while it is pending
    private Lease lease; // the latest one of this life; null before the first
    private List<String> groups; // of the latest start that was admitted
    private String replaces; // the stream that the latest start replaces, until it is known to have ended
    private String play = StreamOptions.freshName(); // distinguishes this play from earlier ones, whose late ends are ignored
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

    /** A requested start, and its parameters. */
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

    /** Return the screen's name, which never changes: store it. */
    public String streamId() {
        return streamId;
    }

    /** Return the state of the stream. */
    public State state() {
        synchronized (lock) {
            return state;
        }
    }

    /** Return the newest playback token, for the CDN; {@code null} if there is none or it has expired. */
    public String playbackToken() {
        synchronized (lock) {
            return limiter.clock.now() < tokenUntil ? token : null;
        }
    }

    /** Take a slot, or reuse the one that is held, for example for the next episode. See {@link #start(String, Collection)}. */
    public boolean start() throws ServiceException {
        return start(null, null);
    }

    /**
     * Take a slot, and keep it by heartbeats. A slot that is already held is reused for the next play. If this throws, a slot
     * held before is still held, as it is if other groups are refused, and a lapsed stream continues its automatic restart. A
     * later start or an end cancels this one.
     *
     * @param replaces the name of another screen's stream, which ends at the same moment; {@code null} for none
     * @param groups the groups in which the stream counts from now on; {@code null} for its present ones
     * @return true if the stream is admitted; false if it is refused, or the start was cancelled by an end or a later start
     * @throws ServiceException if the service does not answer within the patience, defers the start for longer than that
     *     ({@link ServiceException#isTooManyStarts()}), or rejects the call
     */
    public boolean start(String replaces, Collection<String> groups) throws ServiceException {
        Attempt attempt = open(replaces, groups);
        try {
            return take(attempt, () -> limiter.lease("/stream/start", attempt.body), limiter.patienceMillis);
        } finally {
            discard(attempt);
            events.deliver();
        }
    }

    /** Start as {@link #start()} does, without waiting. See {@link #startInBackground(String, Collection)}. */
    public void startInBackground() {
        startInBackground(null, null);
    }

    /** Start as {@link #start(String, Collection)} does, without waiting: the listener is called with the result. */
    public void startInBackground(String replaces, Collection<String> groups) {
        Attempt attempt = open(replaces, groups);
        limiter.threads.execute(() -> {
            try {
                take(attempt, startOf(attempt), limiter.patienceMillis);
            } catch (ServiceException error) {
                discard(attempt);
                events.add(() -> listener.onFailed(this, error));
            }
            events.deliver();
        });
    }

    /** Give the slot back. Return false if the call failed: then the lease frees the slot. */
    public boolean end() {
        Map<String, Object> body = leave();
        try {
            return body == null || retry(() -> limiter.end(body), limiter.patienceMillis, null);
        } catch (ServiceException reason) {
            return false;
        }
    }

    /** Give the slot back without waiting or reporting the result. A later start may overtake this end: its play differs. */
    public void endInBackground() {
        Map<String, Object> body = leave();
        if (body != null) {
            limiter.threads.execute(() -> {
                try {
                    retry(() -> guarded(() -> limiter.end(body)), limiter.patienceMillis, null);
                } catch (ServiceException reason) { // the lease frees the slot
                }
            });
        }
    }

    /** Stop without calling the service, as after a crash: the slot is freed when the lease expires. */
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
            attempt = requestStart(other, groups == null ? this.groups : new ArrayList<>(groups));
        }
        events.deliver();
        return attempt;
    }

    /** Release the slot; return the body of the end, or null if there is nothing to end. */
    private Map<String, Object> leave() {
        Map<String, Object> body = null;
        synchronized (lock) {
            if (isHeld()) {
                body = body();
                putGroups(body, groups); // the service then needs only one write
                play = StreamOptions.freshName();
            }
            close(State.ENDED);
        }
        events.deliver();
        return body;
    }

    /** Take the requested slot. Return true if admitted, false if refused or cancelled. */
    private boolean take(Attempt attempt, Call<Lease> call, long patienceMillis) throws ServiceException {
        try {
            Lease given = retry(call, patienceMillis, attempt);
            synchronized (lock) {
                return pendingStart == attempt && admit(attempt, given);
            }
        } catch (ServiceException error) {
            synchronized (lock) {
                if (pendingStart == attempt && error.isLimitReached()) {
                    refuse(error);
                } else if (pendingStart == attempt) {
                    throw error;
                }
                return false;
            }
        } finally {
            events.deliver();
        }
    }

    /** Discard a failed start and return to the state before it. This has no effect on a start that was answered. */
    private void discard(Attempt attempt) {
        synchronized (lock) {
            if (pendingStart == attempt) {
                pendingStart = null;
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

    /** Take the slot automatically, with unlimited retries. */
    private void takeInBackground(Attempt attempt) {
        try {
            take(attempt, startOf(attempt), ENDLESS);
        } catch (ServiceException error) {
            synchronized (lock) {
                if (pendingStart == attempt) {
                    lose(State.GONE, () -> listener.onGone(this, error));
                }
            }
        }
        events.deliver();
    }

    /** Watch the heartbeats, the token and the lease of a life until it ends. */
    private void watch(Object watched) {
        while (step(watched)) {
            events.deliver();
        }
        events.deliver();
    }

    /** Do what is due, or wait until something is; return whether the life continues. */
    private boolean step(Object watched) {
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
                Thread.interrupted(); // a listener interrupted our thread, which must continue
            }
            return true;
        }
    }

    /** Send one heartbeat. Its answer is ignored if a start was answered meanwhile. */
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

    /** Send a heartbeat to the heartbeat URL; return null if the API has to be used. */
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
        } else if (!error.isGone() || pendingStart != null) { // if a start is pending, its answer decides
            failures += 1;
            nextHeartbeatAt = limiter.clock.now() + limiter.delay(failures, error, lease.heartbeatMillis);
        } else if (lease.isVerified) {
            lose(State.GONE, () -> listener.onGone(this, error));
        } else { // the slot may never have existed, so this is not an eviction
            startAgain(State.STARTING);
        }
    }

    // All methods below, except retry, pause and guarded, are called with the lock held.

    /** Return whether the slot is held or requested. */
    private boolean isHeld() {
        return state == State.STARTING || state == State.ADMITTED || state == State.LAPSED;
    }

    private Attempt requestStart(String replaced, List<String> requested) {
        String other = streamId.equals(replaced) ? null : replaced;
        Map<String, Object> body = body();
        put(body, "device", device);
        put(body, "replaces", other);
        putGroups(body, requested);
        pendingStart = new Attempt(body, other, requested);
        lock.notifyAll(); // an earlier start is cancelled
        return pendingStart;
    }

    private long nextDue() {
        long due = token == null ? lease.until : Math.min(lease.until, tokenUntil);
        return isBeating ? due : Math.min(due, nextHeartbeatAt);
    }

    private boolean admit(Attempt attempt, Lease given) {
        boolean isWatched = state == State.ADMITTED;
        pendingStart = null;
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
        if (state == State.ADMITTED && refusal.names(streamId)) { // only the change of groups is refused
            pendingStart = null;
            events.add(() -> listener.onRefused(this, refusal));
        } else {
            lose(State.REFUSED, () -> listener.onRefused(this, refusal));
        }
    }

    private void hold(Lease given, String replaced) {
        lease = given;
        failures = 0;
        nextHeartbeatAt = limiter.clock.now() + given.heartbeatMillis;
        replaces = given.isVerified ? null : replaced; // after an unverified start it may not have ended
        if (given.playbackToken != null) {
            setToken(given.playbackToken, given.until);
        }
        lock.notifyAll();
    }

    /** Handle the expiry of the lease: another screen may hold the slot now. A pending start decides; otherwise restart. */
    private void lapse() {
        Attempt underWay = pendingStart;
        if (underWay == null) {
            startAgain(State.LAPSED);
        } else {
            discardLease(State.LAPSED);
            pendingStart = underWay;
        }
        events.add(() -> listener.onLapsed(this));
    }

    private void startAgain(State meanwhile) {
        discardLease(meanwhile);
        Attempt attempt = requestStart(replaces, groups);
        limiter.threads.execute(() -> takeInBackground(attempt));
    }

    private void lose(State how, Runnable event) {
        close(how);
        events.add(event);
    }

    private void close(State next) {
        discardLease(next);
        replaces = null;
    }

    /** Discard the lease and everything that depends on it, except the stream to be replaced. */
    private void discardLease(State next) {
        state = next;
        life = new Object();
        pendingStart = null;
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

    /** Retry a call until it succeeds, fails permanently or becomes obsolete, or the patience has run out. */
    private <T> T retry(Call<T> call, long patienceMillis, Attempt attempt) throws ServiceException {
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

    /** Wait; return false if the attempt is or becomes obsolete. */
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
        return attempt == null || attempt == pendingStart;
    }

    /** Wait on the lock; return false if the thread was interrupted, and keep its interrupted status. */
    private boolean await(long milliseconds) {
        try {
            limiter.clock.await(lock, milliseconds);
            return true;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Send a call for which no caller waits: treat an unexpected exception as temporary, and clear an interruption. */
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
