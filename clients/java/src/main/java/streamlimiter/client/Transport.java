package streamlimiter.client;

import java.io.IOException;
import java.util.Map;

/**
 * The HTTP client; {@link java.net.HttpURLConnection} by default. An app with its own HTTP client, such as OkHttp, implements
 * this interface with it.
 */
public interface Transport {
    /**
     * Send one request, and wait about five seconds for its response: the service answers within three. Implementations must be
     * thread-safe, must not follow redirects, and must not retry: the client does.
     *
     * @param body JSON; {@code null} for a request without a body
     * @throws IOException if there is no response
     */
    Response send(String method, String url, Map<String, String> headers, String body) throws IOException;

    /** A response of any status. */
    final class Response {
        final int status;
        final String retryAfter;
        final String body;

        /**
         * @param status the HTTP status
         * @param retryAfter the header {@code Retry-After}; {@code null} if there is none
         * @param body the body, decoded as UTF-8
         */
        public Response(int status, String retryAfter, String body) {
            this.status = status;
            this.retryAfter = retryAfter;
            this.body = body;
        }
    }
}
