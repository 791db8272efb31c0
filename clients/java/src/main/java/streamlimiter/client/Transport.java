package streamlimiter.client;

import java.io.IOException;
import java.util.Map;

/**
 * The way to the network; {@link java.net.HttpURLConnection} by default. An app that has an HTTP client of its own, such as
 * OkHttp, gives one of these that calls it.
 */
public interface Transport {
    /**
     * Send one request, and wait for its response for about five seconds: the service answers within three. It is called by
     * several threads at once. It follows no redirect, and repeats nothing by itself: the client does.
     *
     * @param body JSON; {@code null} for a request without a body
     * @throws IOException if there is no response
     */
    Response send(String method, String url, Map<String, String> headers, String body) throws IOException;

    /** What came back, whatever its status. */
    final class Response {
        final int status;
        final String retryAfter;
        final String body;

        /**
         * @param status the HTTP status
         * @param retryAfter the header {@code Retry-After}; {@code null} if there is none
         * @param body the text of the body, which is UTF-8
         */
        public Response(int status, String retryAfter, String body) {
            this.status = status;
            this.retryAfter = retryAfter;
            this.body = body;
        }
    }
}
