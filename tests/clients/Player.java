import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

import streamlimiter.client.ServiceException;
import streamlimiter.client.Stream;
import streamlimiter.client.StreamLimiter;
import streamlimiter.client.StreamListener;
import streamlimiter.client.StreamOptions;
import streamlimiter.client.StreamView;

/**
 * A player over the Java client: one command per line comes in, one event per line goes out. With {@code -Dchance=1.0} its
 * clock moves by command, and each delay has this random number for its jitter.
 */
public final class Player implements StreamListener {
    private static final Pattern OPTION = Pattern.compile("\"(\\w+)\": (?:\"((?:[^\"\\\\]|\\\\.)*)\"|\\[([^\\]]*)\\])");
    private static final Pattern ESCAPE = Pattern.compile("\\\\(?:u(....)|(.))");

    private static final long WITHIN_MILLISECONDS = 10_000;

    private final HandClock clock = new HandClock();
    private final StreamLimiter limiter;
    private final Stream stream;
    private boolean hasLapsed;

    private Player(String url, String userId, String device, String streamId) {
        StreamLimiter.Builder service = StreamLimiter.at(url).token(this::token);
        String chance = System.getProperty("chance");
        if (chance != null) {
            service.clock(clock).random(new Always(Double.parseDouble(chance)));
        }
        limiter = service.build();
        stream = limiter.stream(new StreamOptions().userId(userId).device(device).streamId(streamId), this);
    }

    public static void main(String[] args) throws IOException {
        Player player = new Player(args[0], args[1], args[2], args.length > 3 ? args[3] : null);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Map<String, String> command = new HashMap<>();
            for (Matcher option = OPTION.matcher(line); option.find(); ) {
                command.put(option.group(1), option.group(2) == null ? option.group(3) : unescaped(option.group(2)));
            }
            new Thread(() -> player.obey(command)).start(); // so that a waiting one does not hold up the others
        }
        System.exit(0);
    }

    private void obey(Map<String, String> command) {
        try {
            switch (command.get("action")) {
                case "start":
                    start(command.get("replaces"), groups(command.get("groups")));
                    break;
                case "end":
                    report(stream.end() ? "ended" : "failed");
                    break;
                case "start in background":
                    stream.startInBackground(command.get("replaces"), groups(command.get("groups")));
                    break;
                case "end in background":
                    stream.endInBackground();
                    break;
                case "abandon":
                    stream.abandon();
                    report("abandoned");
                    break;
                case "look":
                    report("seen", "state", quoted(stream.state()), "token", quoted(stream.playbackToken()));
                    break;
                case "list":
                    report("listed", "holders", holders(limiter.streams(command.get("userId"))));
                    break;
                case "due":
                    report("due", "at", clock.due(Long.parseLong(command.get("at")), WITHIN_MILLISECONDS));
                    break;
                case "settle":
                    report("settled", "all", clock.settle(WITHIN_MILLISECONDS));
                    break;
                case "pass":
                    String within = command.getOrDefault("within", String.valueOf(WITHIN_MILLISECONDS));
                    report("passed", "to", clock.passTo(Long.parseLong(command.get("to")), Long.parseLong(within)));
                    break;
                default: // "set"
                    System.setProperty(command.get("name"), command.get("value"));
                    report("set");
            }
        } catch (ServiceException error) {
            report("error", "status", error.status(), "message", quoted(error.getMessage()));
        } catch (InterruptedException | RuntimeException mistake) {
            report("mistake", "message", quoted(mistake));
        }
    }

    private void start(String replaces, List<String> groups) throws ServiceException {
        try {
            if (stream.start(replaces, groups)) {
                report("admitted", "holders", "[]", "hasToken", stream.playbackToken() != null);
            } else if (stream.state() == Stream.State.ENDED) {
                report("cancelled");
            }
        } catch (ServiceException error) {
            if (!error.isTooManyStarts()) {
                throw error;
            }
            report("postponed", "seconds", error.retryAfterMillis() / 1000);
        }
    }

    @Override
    public void onFailed(Stream failed, ServiceException error) {
        report("failed in background", "status", error.status(), "message", quoted(error.getMessage()));
    }

    @Override
    public void onAdmitted(Stream admitted) {
        if (hasLapsed) {
            report("resumed");
        }
        hasLapsed = false;
        if (Boolean.getBoolean("throws")) {
            throw new IllegalStateException("This listener makes a mistake.");
        }
    }

    @Override
    public void onRefused(Stream refused, ServiceException refusal) {
        String holders = holders(refusal.streams());
        if (refusal.fullGroup() == null) {
            report("refused", "holders", holders);
        } else {
            String limit = "{\"group\": " + quoted(refusal.fullGroup()) + ", \"max\": " + refusal.fullGroupMax() + "}";
            report("refused", "holders", holders, "limit", limit);
        }
    }

    @Override
    public void onGone(Stream gone, ServiceException reason) {
        report("gone", "reason", quoted(reason.reason()), "by", quoted(reason.by()));
    }

    @Override
    public void onToken(Stream owner, String playbackToken) {
        if (Boolean.getBoolean("tokens")) {
            report("token", "token", quoted(playbackToken));
        }
    }

    @Override
    public void onLapsed(Stream lapsed) {
        hasLapsed = true;
        report("lapsed");
    }

    /** Write one event, with these names and their values in JSON. */
    private void report(String event, Object... more) {
        StringBuilder line = new StringBuilder("{\"event\": ").append(quoted(event));
        line.append(", \"streamId\": ").append(quoted(stream.streamId()));
        if (!Arrays.asList(more).contains("holders")) {
            line.append(", \"holders\": []");
        }
        for (int at = 0; at < more.length; at += 2) {
            line.append(", ").append(quoted(more[at])).append(": ").append(more[at + 1]);
        }
        synchronized (System.out) {
            System.out.println(line.append('}'));
        }
    }

    private static String unescaped(String text) {
        StringBuffer out = new StringBuffer();
        Matcher escape = ESCAPE.matcher(text);
        while (escape.find()) {
            String code = escape.group(1);
            String letter = "n".equals(escape.group(2)) ? "\n" : escape.group(2);
            String character = code == null ? letter : String.valueOf((char) Integer.parseInt(code, 16));
            escape.appendReplacement(out, Matcher.quoteReplacement(character));
        }
        return escape.appendTail(out).toString();
    }

    private static String holders(List<StreamView> streams) {
        return streams.stream().map(stream -> quoted(stream.device())).collect(Collectors.joining(", ", "[", "]"));
    }

    private static List<String> groups(String option) {
        if (option == null) {
            return null;
        }
        return Arrays.stream(option.split("[\", ]+")).filter(name -> !name.isEmpty()).collect(Collectors.toList());
    }

    private String token() {
        String token = System.getProperty("token");
        if ("none".equals(token)) {
            report("no token");
            throw new IllegalStateException("The token is missing.");
        }
        return token;
    }

    private static String quoted(Object value) {
        if (value == null) {
            return "null";
        }
        StringBuilder out = new StringBuilder("\"");
        String.valueOf(value).chars().forEach(c -> out.append(String.format("\\u%04x", c)));
        return out.append('"').toString();
    }

    /** A random number that is always the same. */
    private static final class Always extends Random {
        private static final long serialVersionUID = 1;
        private final double value;

        Always(double value) {
            this.value = value;
        }

        @Override
        public double nextDouble() {
            return value;
        }
    }
}
