package streamlimiter.client;

import java.io.IOException;
import java.io.UnsupportedEncodingException;
import java.net.URLEncoder;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;

/** The client of the service, for one or more players. It is thread-safe. */
public final class StreamLimiter {
    private static final long FIRST_DELAY_MILLIS = 300;
    private static final long LONGEST_DELAY_MILLIS = 10_000;
    private static final int MAX_DOUBLINGS = 8; // more would not lengthen the delay
    private static final long LONGEST_RETRY_AFTER_SECONDS = 300; // the longest delay of a heartbeat
    private static final int MAX_RETRY_AFTER_DIGITS = 9;

    private static final String CONTENT_TYPE = "Content-Type";
    private static final String JSON = "application/json";
    private static final int STATUS_CLASS = 100;
    private static final int SUCCESS = 2;
    private static final int REDIRECTION = 3;

    final Clock clock;
    final Executor callbacks;
    final long patienceMillis;
    /** Daemon threads for heartbeats, the watch over leases and automatic restarts; they end when idle. */
    final Executor threads = Executors.newCachedThreadPool(StreamLimiter::daemon);

    private final String url;
    private final Callable<String> token;
    private final Transport transport;
    private final Random random;

    private StreamLimiter(Builder builder) {
        this.url = builder.url;
        this.token = builder.token;
        this.transport = builder.transport;
        this.clock = builder.clock;
        this.callbacks = builder.callbacks;
        this.random = builder.random;
        this.patienceMillis = builder.patienceMillis;
    }

    /** Return a builder for the service at this URL, such as {@code https://api.example.com}. */
    public static Builder at(String url) {
        return new Builder(url);
    }

    /** Create a screen's stream, which serves one play after another; nothing is sent before its {@code start()}. */
    public Stream stream(StreamOptions options, StreamListener listener) {
        return new Stream(this, options, listener);
    }

    /**
     * List the user's live streams that have a name, oldest first.
     *
     * @param userId the streams' user; {@code null} if the token identifies the user
     * @throws ServiceException if the service does not answer, or not with a list
     */
    public List<StreamView> streams(String userId) throws ServiceException {
        String query = userId == null ? "" : "?userId=" + encoded(userId);
        return StreamView.listOf(send("GET", url + "/stream" + query, headers(), null).get("streams"));
    }

    /** Send a start or a heartbeat, once. */
    Lease lease(String path, Map<String, ?> body) throws ServiceException {
        Map<String, String> headers = headers();
        long requestedAt = clock.now();
        return new Lease(send("POST", url + path, headers, body), requestedAt);
    }

    /** Send a heartbeat to the heartbeat URL, once, with the playback token instead of the login. */
    Lease renew(HeartbeatUrl.Target target, Map<String, ?> body, String playbackToken) throws ServiceException {
        Map<String, Object> renewal = new LinkedHashMap<>(body);
        renewal.put("userId", target.userId);
        renewal.put("playbackToken", playbackToken);
        long requestedAt = clock.now();
        return new Lease(send("POST", target.url, Collections.singletonMap(CONTENT_TYPE, JSON), renewal), requestedAt);
    }

    /** Send an end, once; return true. */
    boolean end(Map<String, ?> body) throws ServiceException {
        send("POST", url + "/stream/end", headers(), body);
        return true;
    }

    /** Return the delay after consecutive failures: exponential backoff with jitter. */
    long delay(int failures, ServiceException error, long longest) {
        long doubled = FIRST_DELAY_MILLIS << Math.min(failures, MAX_DOUBLINGS);
        long most = Math.min(doubled, Math.min(LONGEST_DELAY_MILLIS, longest));
        return Math.max(error.retryAfterMillis(), Math.round(most * (0.5 + random.nextDouble() / 2)));
    }

    private Map<?, ?> send(String method, String address, Map<String, String> headers, Map<String, ?> body)
            throws ServiceException {
        Transport.Response response;
        try {
            response = transport.send(method, address, headers, body == null ? null : Json.write(body));
        } catch (IOException reason) {
            throw new ServiceException("The service did not answer.", reason);
        }
        Object answer = null;
        try {
            answer = Json.read(response.body);
        } catch (Json.MalformedException ignored) { // an error needs no JSON; a 200 without it is not from the service
        }
        Map<?, ?> fields = answer instanceof Map ? (Map<?, ?>) answer : null;
        switch (response.status / STATUS_CLASS) {
            case SUCCESS:
                if (fields == null) {
                    throw new ServiceException(ServiceException.NOT_THE_SERVICE, null);
                }
                return fields;
            case REDIRECTION: // of a captive portal
                throw new ServiceException(ServiceException.NOT_THE_SERVICE, null);
            default:
                Map<?, ?> problem = fields == null ? Collections.emptyMap() : fields;
                throw new ServiceException(response.status, problem, retryAfterMillis(response.retryAfter));
        }
    }

    private Map<String, String> headers() throws ServiceException {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put(CONTENT_TYPE, JSON);
        try {
            String current = token.call();
            if (current != null) {
                headers.put("Authorization", "Bearer " + current);
            }
        } catch (Exception reason) {
            throw new ServiceException("The token could not be obtained.", reason);
        }
        return headers;
    }

    private static long retryAfterMillis(String header) {
        if (header == null || !header.matches("[0-9]+")) {
            return 0;
        }
        boolean isLong = header.length() > MAX_RETRY_AFTER_DIGITS;
        return 1000 * (isLong ? LONGEST_RETRY_AFTER_SECONDS : Math.min(Long.parseLong(header), LONGEST_RETRY_AFTER_SECONDS));
    }

    private static String encoded(String text) {
        try {
            return URLEncoder.encode(text, "UTF-8").replace("+", "%20");
        } catch (UnsupportedEncodingException impossible) {
            throw new AssertionError(impossible);
        }
    }

    private static Thread daemon(Runnable work) {
        Thread thread = new Thread(work, "stream-limiter");
        thread.setDaemon(true);
        return thread;
    }

    /** A builder of a limiter; everything but the URL has a default. */
    public static final class Builder {
        private static final long PATIENCE_MILLIS = 15_000;

        private final String url;
        private Callable<String> token = () -> null;
        private Transport transport = new UrlConnectionTransport();
        private Clock clock = new DeviceClock();
        private Executor callbacks = Runnable::run;
        private Random random = new Random();
        private long patienceMillis = PATIENCE_MILLIS;

        private Builder(String url) {
            this.url = url.replaceAll("/+$", "");
        }

        /** Set the source of the caller's JWT, which is called before every request by the thread that sends it. */
        public Builder token(Callable<String> token) {
            this.token = token;
            return this;
        }

        /** Set the executor of the listeners' calls, such as Android's main thread: {@code new Handler(getMainLooper())::post}. */
        public Builder callbacks(Executor callbacks) {
            this.callbacks = callbacks;
            return this;
        }

        /** Set another HTTP client. */
        public Builder transport(Transport transport) {
            this.transport = transport;
            return this;
        }

        /** Set another clock. The default is Android's, which continues while the device sleeps, or {@code System.nanoTime()}. */
        public Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /** Set the source of randomness for the jitter. */
        public Builder random(Random random) {
            this.random = random;
            return this;
        }

        /** Set how long an unanswered call is retried: 15 seconds by default. */
        public Builder patienceMillis(long patienceMillis) {
            this.patienceMillis = patienceMillis;
            return this;
        }

        /** Create the limiter; nothing is sent. */
        public StreamLimiter build() {
            return new StreamLimiter(this);
        }
    }
}
