package streamlimiter.client;

import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** What a stream is; all of it may be left out. */
public final class StreamOptions {
    String userId;
    String device;
    List<String> groups = new ArrayList<>();
    String streamId = freshName();

    /** Say whose stream it is, where no token does. */
    public StreamOptions userId(String userId) {
        this.userId = userId;
        return this;
    }

    /** Set a label for people, such as "living room". */
    public StreamOptions device(String device) {
        this.device = device;
        return this;
    }

    /** Name the groups that it counts in beside all streams, such as "uhd"; a start may name others. */
    public StreamOptions groups(String... groups) {
        this.groups = new ArrayList<>(Arrays.asList(groups));
        return this;
    }

    /** Name the screen. By default, or for {@code null}, it has a new random name: store that, and give it after the next launch. */
    public StreamOptions streamId(String streamId) {
        this.streamId = streamId == null ? freshName() : streamId;
        return this;
    }

    /** Return a name that no other screen, and no other play, has. */
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
