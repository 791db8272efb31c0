package streamlimiter.client;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** One of the user's live streams, as listed by the service. */
public final class StreamView {
    private final Map<?, ?> fields;
    private final List<String> groups;

    private StreamView(Map<?, ?> fields) {
        this.fields = fields;
        List<String> names = new ArrayList<>();
        for (Object name : list(fields.get("groups"))) {
            names.add(String.valueOf(name));
        }
        this.groups = Collections.unmodifiableList(names);
    }

    static List<StreamView> listOf(Object streams) {
        List<StreamView> views = new ArrayList<>();
        for (Object stream : list(streams)) {
            if (stream instanceof Map) {
                views.add(new StreamView((Map<?, ?>) stream));
            }
        }
        return Collections.unmodifiableList(views);
    }

    /** Return the name of the stream's screen. */
    public String streamId() {
        return text("streamId");
    }

    /** Return the stream's label for people; empty if it has none. */
    public String device() {
        return text("device");
    }

    /** Return the groups in which the stream counts as well. */
    public List<String> groups() {
        return groups;
    }

    /** Return the time of the first admission, such as {@code 2026-11-24T05:19:39Z}. */
    public String startedAt() {
        return text("startedAt");
    }

    /** Return the expiry of the lease unless it is extended, such as {@code 2026-11-24T05:21:09Z}. */
    public String expiresAt() {
        return text("expiresAt");
    }

    private String text(String name) {
        Object value = fields.get(name);
        return value instanceof String ? (String) value : "";
    }

    private static List<?> list(Object value) {
        return value instanceof List ? (List<?>) value : Collections.emptyList();
    }
}
