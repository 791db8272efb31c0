package streamlimiter.client;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * The platform's own HTTP client. It reuses connections, so each body is read to its end.
 *
 * <p>It may automatically repeat a POST if a reused connection turns out to be closed. This is harmless: every call may be
 * repeated.
 */
final class UrlConnectionTransport implements Transport {
    private static final int TIMEOUT_MILLISECONDS = 5_000; // to connect, and for each read
    private static final int LONGEST_BODY_BYTES = 1 << 20;
    private static final int FIRST_ERROR = 400;

    @Override
    public Response send(String method, String url, Map<String, String> headers, String body) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        boolean isRead = false;
        try {
            connection.setRequestMethod(method);
            connection.setConnectTimeout(TIMEOUT_MILLISECONDS);
            connection.setReadTimeout(TIMEOUT_MILLISECONDS);
            connection.setInstanceFollowRedirects(false); // a redirect would carry the caller's token to another host
            connection.setUseCaches(false);
            for (Map.Entry<String, String> header : headers.entrySet()) {
                connection.setRequestProperty(header.getKey(), header.getValue());
            }
            if (body != null) {
                connection.setDoOutput(true);
                try (OutputStream out = connection.getOutputStream()) {
                    out.write(body.getBytes(StandardCharsets.UTF_8));
                }
            }
            int status = connection.getResponseCode();
            InputStream in = status < FIRST_ERROR ? connection.getInputStream() : connection.getErrorStream();
            Response response = new Response(status, connection.getHeaderField("Retry-After"), text(in));
            isRead = true;
            return response;
        } finally {
            if (!isRead) {
                connection.disconnect();
            }
        }
    }

    private static String text(InputStream stream) throws IOException {
        if (stream == null) {
            return ""; // an error without a body
        }
        try (InputStream in = stream) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            byte[] buffer = new byte[4096];
            for (int length = in.read(buffer); length >= 0; length = in.read(buffer)) {
                bytes.write(buffer, 0, length);
                if (bytes.size() > LONGEST_BODY_BYTES) {
                    throw new IOException("The body exceeds 1 MiB, so it is not an answer of the service.");
                }
            }
            return new String(bytes.toByteArray(), StandardCharsets.UTF_8);
        }
    }
}
