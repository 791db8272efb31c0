package streamlimiter.client;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A reader and writer of JSON (RFC 8259) as maps, lists, strings, doubles, booleans and {@code null}. {@code org.json} exists
 * only on Android, and accepts much that is not JSON.
 */
final class Json {
    private static final int MAX_LEVELS = 32;

    private final String text;
    private int at;
    private int levels;

    private Json(String text) {
        this.text = text;
    }

    /** The text is not JSON, or is nested too deeply. */
    static final class MalformedException extends Exception {
        private static final long serialVersionUID = 1;

        MalformedException(int at) {
            super("This is not JSON, at character " + at + ".");
        }
    }

    /** Read one value of at most 32 levels. */
    static Object read(String text) throws MalformedException {
        Json json = new Json(text);
        Object value = json.value();
        if (json.at < text.length()) {
            throw json.malformed();
        }
        return value;
    }

    /** Write a map, a collection, a string, a number, a boolean or {@code null}, in ASCII. */
    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof String) {
            writeString((String) value, out);
        } else if (value instanceof Map) {
            String separator = "{";
            for (Map.Entry<?, ?> member : ((Map<?, ?>) value).entrySet()) {
                out.append(separator);
                writeString((String) member.getKey(), out);
                out.append(':');
                write(member.getValue(), out);
                separator = ",";
            }
            out.append(separator.equals("{") ? "{}" : "}");
        } else if (value instanceof Collection) {
            String separator = "[";
            for (Object element : (Collection<?>) value) {
                out.append(separator);
                write(element, out);
                separator = ",";
            }
            out.append(separator.equals("[") ? "[]" : "]");
        } else {
            out.append(value);
        }
    }

    private static void writeString(String value, StringBuilder out) {
        out.append('"');
        for (char c : value.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c >= ' ' && c <= '~') {
                out.append(c);
            } else { // also lone surrogates: in UTF-8 they would become "?", and name another user
                out.append(String.format("\\u%04x", (int) c));
            }
        }
        out.append('"');
    }

    /** Read the next value and the whitespace around it. */
    private Object value() throws MalformedException {
        skipSpace();
        Object value;
        switch (peek()) {
            case '{':
                value = object();
                break;
            case '[':
                value = array();
                break;
            case '"':
                value = string();
                break;
            case 't':
                value = literal("true", Boolean.TRUE);
                break;
            case 'f':
                value = literal("false", Boolean.FALSE);
                break;
            case 'n':
                value = literal("null", null);
                break;
            default:
                value = number();
        }
        skipSpace();
        return value;
    }

    private Map<String, Object> object() throws MalformedException {
        Map<String, Object> members = new LinkedHashMap<>();
        open();
        skipSpace();
        if (!skips('}')) {
            do {
                skipSpace();
                String name = string();
                skipSpace();
                expect(':');
                members.put(name, value());
            } while (skips(','));
            expect('}');
        }
        levels -= 1;
        return members;
    }

    private List<Object> array() throws MalformedException {
        List<Object> elements = new ArrayList<>();
        open();
        skipSpace();
        if (!skips(']')) {
            do {
                elements.add(value());
            } while (skips(','));
            expect(']');
        }
        levels -= 1;
        return elements;
    }

    private void open() throws MalformedException {
        at += 1;
        levels += 1;
        if (levels > MAX_LEVELS) {
            throw malformed();
        }
    }

    private String string() throws MalformedException {
        expect('"');
        StringBuilder out = new StringBuilder();
        while (!skips('"')) {
            char c = next();
            if (c < ' ') {
                throw malformed();
            }
            out.append(c == '\\' ? escaped() : c);
        }
        return out.toString();
    }

    private char escaped() throws MalformedException {
        char c = next();
        if (c == 'u') {
            int code = 0;
            for (int digits = 0; digits < 4; digits += 1) {
                char c4 = next();
                int digit = c4 <= 'f' ? Character.digit(c4, 16) : -1; // excludes digits of other scripts
                if (digit < 0) {
                    throw malformed();
                }
                code = code * 16 + digit;
            }
            return (char) code;
        }
        int which = "\"\\/bfnrt".indexOf(c);
        if (which < 0) {
            throw malformed();
        }
        return "\"\\/\b\f\n\r\t".charAt(which);
    }

    private Double number() throws MalformedException {
        int from = at;
        skips('-');
        if (!skips('0')) {
            digits();
        }
        if (skips('.')) {
            digits();
        }
        if (skips('e') || skips('E')) {
            if (!skips('+')) {
                skips('-');
            }
            digits();
        }
        return Double.valueOf(text.substring(from, at));
    }

    /** Skip one or more digits. */
    private void digits() throws MalformedException {
        int from = at;
        while (peek() >= '0' && peek() <= '9') {
            at += 1;
        }
        if (at == from) {
            throw malformed();
        }
    }

    private Object literal(String name, Object value) throws MalformedException {
        if (!text.startsWith(name, at)) {
            throw malformed();
        }
        at += name.length();
        return value;
    }

    private void skipSpace() {
        while (peek() != 0 && " \t\n\r".indexOf(peek()) >= 0) {
            at += 1;
        }
    }

    private boolean skips(char c) {
        boolean isThere = peek() == c;
        at += isThere ? 1 : 0;
        return isThere;
    }

    private void expect(char c) throws MalformedException {
        if (!skips(c)) {
            throw malformed();
        }
    }

    private char next() throws MalformedException {
        if (at >= text.length()) {
            throw malformed();
        }
        at += 1;
        return text.charAt(at - 1);
    }

    /** Return the next character; 0 at the end of the text, as JSON does not allow that character. */
    private char peek() {
        return at < text.length() ? text.charAt(at) : 0;
    }

    private MalformedException malformed() {
        return new MalformedException(at);
    }
}
