package streamlimiter.client;

import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The options of a stream; all of them are optional. */
public final class StreamOptions {
    String userId;
    String device;
    List<String> groups = new ArrayList<>();
    String streamId = freshName();

    /** Set the stream's user, if no token identifies the user. */
    public StreamOptions userId(String userId) {
        this.userId = userId;
        return this;
    }

    /** Set a label for people, such as "living room". */
    public StreamOptions device(String device) {
        this.device = device;
        return this;
    }

    /** Set the groups in which the stream counts as well, such as "uhd"; a start may name others. */
    public StreamOptions groups(String... groups) {
        this.groups = new ArrayList<>(Arrays.asList(groups));
        return this;
    }

    /** Set the screen's name. By default, or for {@code null}, it is random: store it, and set it again after the next launch. */
    public StreamOptions streamId(String streamId) {
        this.streamId = streamId == null ? freshName() : streamId;
        return this;
    }

    /** Return a unique name for a screen or a play. */
    static String freshName() {
        byte[] bytes = new byte[12];
        new SecureRandom().nextBytes(bytes);
        StringBuilder name = new StringBuilder();
        for (byte b : bytes) {
            name.append(String.format("%02x", b));
        }
        return name.toString();
    }
}
