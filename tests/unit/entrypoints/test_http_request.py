import base64
import json
import math
from typing import Any

import pytest

from domain.errors import InvalidInput
from entrypoints.http_request import MAX_BODY_BYTES, BodyTooLarge, HttpRequest, InvalidFields
from entrypoints.request_models import ListQuery, StartBody
from tests.unit.entrypoints.calls import event

VALID = '{"userId": "1"}'
INVALID = (InvalidInput, InvalidFields)


def user_of(body: str | None, **changes: Any) -> str:
    """Return the user of a start with this body."""
    return HttpRequest(event("start", body=body, **changes)).body(StartBody).user_id


def problem_of(body: str | None, **changes: Any) -> str:
    """Return what is wrong with a start with this body."""
    with pytest.raises(INVALID) as caught:
        user_of(body, **changes)
    return str(caught.value)


def query_problem(query: str) -> str:
    """Return what is wrong with a list's query."""
    with pytest.raises(INVALID) as caught:
        HttpRequest(event("list", rawQueryString=query)).query(ListQuery)
    return str(caught.value)


def in_base64(content: bytes) -> str:
    """Return bytes as API Gateway passes on a body that is not text."""
    return base64.b64encode(content).decode()


def nested(depth: int) -> str:
    """Return an array in an array in an array, to this depth."""
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("body", [None, ""])
def test_a_body_is_required(body: str | None) -> None:
    """A missing or empty body is answered with what is missing."""
    assert problem_of(body) == "body must be a JSON object"


def test_an_event_without_a_body_is_bad_input() -> None:
    """An event without `body`, as API Gateway sends it for a call without one, is bad input."""
    without = event("start")
    del without["body"]

    with pytest.raises(InvalidInput, match="body must be a JSON object"):
        HttpRequest(without).body(StartBody)


@pytest.mark.parametrize("body", ["null", "[]", "[1]", "1", "-0.5", "true", '"1"', '""', "NaN", "Infinity"])
def test_a_body_must_be_an_object(body: str) -> None:
    """JSON of any kind but an object is refused, whatever it holds."""
    assert problem_of(body) == "body must be a JSON object"


@pytest.mark.parametrize(
    "body",
    [
        "{",
        " ",
        "userId=1",
        "{'userId': '1'}",
        '{"userId": "1",}',
        '{"userId": "1"} {}',
        '{"userId": "1"',
        '{userId: "1"}',
        '{"userId": "a\tb"}',
        '{"userId": "\\x41"}',
        "\x00",
        "[" * MAX_BODY_BYTES,
    ],
)
def test_a_body_must_be_json(body: str) -> None:
    """A body that is not JSON is refused, and nothing in it is guessed."""
    assert problem_of(body) == "body must be valid JSON"


def test_a_byte_order_mark_is_refused() -> None:
    """A byte order mark before the JSON is refused, as text and as bytes."""
    assert problem_of("\ufeff" + VALID) == "body must be valid JSON"
    marked = in_base64(b"\xef\xbb\xbf" + VALID.encode())
    assert problem_of(marked, isBase64Encoded=True) == "body must be valid JSON"


@pytest.mark.parametrize("depth", [500, 1_000, MAX_BODY_BYTES // 2])
def test_deep_nesting_is_refused(depth: int) -> None:
    """A body that is nested deeper than the parser goes is bad input, not a crash."""
    assert problem_of(nested(depth)).startswith("body must be ")


def test_deep_nesting_beyond_the_size_is_too_large() -> None:
    """A body of a hundred thousand brackets is refused by its size, without being parsed."""
    with pytest.raises(BodyTooLarge):
        user_of(nested(100_000))


@pytest.mark.parametrize(
    "number", ["9" * 1_000, "9" * 4_000, "1e999999", "-" + "1" * 3_000, "0." + "3" * 2_000]
)
def test_a_number_of_any_length_is_refused_as_not_a_string(number: str) -> None:
    """A number of thousands of digits is refused like any other number."""
    assert problem_of(f'{{"userId": {number}}}') == "userId must be a string"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_are_refused_as_not_a_string(number: float) -> None:
    """`NaN` and `Infinity`, which Python's parser accepts, are refused like any other number."""
    assert problem_of(json.dumps({"userId": number})) == "userId must be a string"


def test_a_body_has_room_for_the_longest_values() -> None:
    """The largest body allowed holds the longest value of every field, its names and labels escaped."""
    groups = [f"{n:032}" for n in range(16)]
    escaped = {
        "userId": "\\u0061" * 128,
        "streamId": "\\u0062" * 64,
        "device": "\\u0063" * 64,
        "replaces": "\\u0064" * 64,
        "play": "e" * 64,
        "pathPrefix": f"/{'f' * 254}/",
    }
    body = "{" + ", ".join(f'"{name}": "{text}"' for name, text in escaped.items())
    body += f', "groups": {json.dumps(groups[:4])}, "maxStreams": 20'
    body += f', "groupLimits": {json.dumps(dict.fromkeys(groups, 20))}}}'

    assert len(body) < MAX_BODY_BYTES
    assert user_of(body) == "a" * 128


def test_the_size_is_in_bytes() -> None:
    """A body of exactly the largest size is read; one byte more is too large, in text and in base64."""
    largest = VALID + " " * (MAX_BODY_BYTES - len(VALID))

    assert user_of(largest) == "1"
    assert user_of(in_base64(largest.encode()), isBase64Encoded=True) == "1"
    with pytest.raises(BodyTooLarge):
        user_of(largest + " ")
    with pytest.raises(BodyTooLarge):
        user_of(in_base64(largest.encode() + b" "), isBase64Encoded=True)
    with pytest.raises(BodyTooLarge):
        user_of('{"userId": "' + "ë" * (MAX_BODY_BYTES // 2) + '"}')


def test_a_huge_body_is_too_large() -> None:
    """A body as large as API Gateway accepts is refused by its size."""
    with pytest.raises(BodyTooLarge):
        user_of("x" * 10_000_000)
    with pytest.raises(BodyTooLarge):
        user_of("!" * 10_000_000, isBase64Encoded=True)


def test_base64_is_decoded() -> None:
    """A body that API Gateway took for binary means the same as the text."""
    assert user_of(in_base64(VALID.encode()), isBase64Encoded=True) == "1"
    assert HttpRequest(event("start_base64")).body(StartBody).user_id == "zoë"


@pytest.mark.parametrize("body", ["e30", "!!!!", "eyJ1c2Vy=SWQiOiAiMSJ9", "e30=\n", VALID])
def test_malformed_base64_is_refused(body: str) -> None:
    """Malformed base64 is refused, not decoded in part."""
    assert problem_of(body, isBase64Encoded=True) == "body must be valid base64"


@pytest.mark.parametrize("body", ["\u00eb", "eyJ1c2VySWQiOiAiMSJ9\ufeff", "\ud800"])
def test_base64_must_be_ascii(body: str) -> None:
    """Base64 with text beyond ASCII is bad input, not a crash."""
    assert problem_of(body, isBase64Encoded=True) == "body must be valid base64"


@pytest.mark.parametrize("content", [b"\xff", b'{"userId": "\xff"}', b'{"userId": "\xed\xa0\x80"}', b"\xc3"])
def test_bytes_must_be_utf8(content: bytes) -> None:
    """Bytes in another encoding are refused, not replaced."""
    assert problem_of(in_base64(content), isBase64Encoded=True) == "body must be valid UTF-8"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_other_unicode_encodings_are_not_guessed(encoding: str) -> None:
    """JSON is read as UTF-8 only, though Python's parser would detect other encodings."""
    body = in_base64(VALID.encode(encoding))

    assert problem_of(body, isBase64Encoded=True).startswith("body must be valid")


def test_text_that_utf8_cannot_encode_is_refused() -> None:
    """Half of a surrogate pair in the body's own text is bad input."""
    assert problem_of('{"userId": "\ud800"}') == "body must be valid UTF-8"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "text/plain;charset=iso-8859-1"},
        {"content-type": "image/png"},
        {"content-type": ""},
        {"Content-Type": "nonsense"},
        {},
        None,
    ],
)
def test_the_content_type_is_irrelevant(headers: dict[str, str] | None) -> None:
    """The body is read as JSON whatever its Content-Type: `curl -d` calls it a form."""
    assert user_of('{"userId": "zoë"}', headers=headers) == "zoë"


def test_a_form_is_refused() -> None:
    """A form is refused, whatever its Content-Type."""
    form = {"content-type": "application/x-www-form-urlencoded"}

    assert problem_of("userId=1", headers=form) == "body must be valid JSON"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"userId": "1", "userId": "1"}', "userId"),
        ('{"userId": "1", "userId": "2"}', "userId"),
        ('{"userId": "1", "user\\u0049d": "2"}', "userId"),
        ('{"userId": {"a": 1, "a": 2}}', "a"),
        ('{"userId": "1", "x": 1, "x": 1}', "x"),
        ('{"\\ud800": 1, "\\ud800": 2}', "?"),
    ],
)
def test_a_repeated_field_is_refused(body: str, field: str) -> None:
    """A field that is given twice is refused, because either value could be meant."""
    assert problem_of(body) == f"{field} must not be given twice"


def test_a_long_name_is_truncated() -> None:
    """An answer repeats only a part of a long name."""
    assert problem_of(f'{{"userId": "1", "{"x" * 3000}": 1}}') == f"{'x' * 64} is not a known field"


def test_a_field_name_that_utf8_cannot_encode_is_refused() -> None:
    """A field name that UTF-8 cannot carry is bad input, not a crash."""
    assert problem_of('{"userId": "1", "\\udfff": 1}') == "body must be valid Unicode text"


@pytest.mark.parametrize(
    ("query", "user"),
    [
        ("userId=1", "1"),
        ("userId=zo%C3%AB", "zoë"),
        ("userId=a+b%20c", "a b c"),
        ("userId=a%2Bb", "a+b"),
        ("userId=a%26userId%3Db", "a&userId=b"),
        ("userId=a=b", "a=b"),
        ("&userId=1&", "1"),
    ],
)
def test_a_query_is_decoded_once(query: str, user: str) -> None:
    """Percent-encoding and plus signs are undone once, and nothing else is changed."""
    assert HttpRequest(event("list", rawQueryString=query)).query(ListQuery).user_id == user


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("userId", "userId must not be blank"),
        ("userId=", "userId must not be blank"),
        ("userId=+", "userId must not be blank"),
        ("userId=%00", "userId must not contain control characters"),
        ("userId=" + "a" * 129, "userId must be at most 128 bytes in UTF-8"),
        ("userId=1&userId=1", "userId must not be given twice"),
        ("userId=1&user%49d=2", "userId must not be given twice"),
        ("userId=1&x=1", "x is not a known field"),
        ("userid=1", "userid is not a known field"),
        ("userId=1&maxStreams=21", "maxStreams must be a whole number from 0 to 20"),
        ("userId=1&maxStreams=-1", "maxStreams must be a whole number from 0 to 20"),
        ("userId=1&maxStreams=", "maxStreams must be a whole number from 0 to 20"),
        ("userId=1&maxStreams=3.0", "maxStreams must be a whole number from 0 to 20"),
        ("userId=%zz", "userId must be percent-encoded"),
        ("userId=1&x=a%", "x must be percent-encoded"),
        ("userId=1&%4=2", "query must be percent-encoded"),
        ("=1&userId=1", '"" is not a known field'),
        ("userId=%FF", "query must be valid UTF-8, percent-encoded"),
        ("userId=%C3", "query must be valid UTF-8, percent-encoded"),
        ("userId=%ED%A0%80", "query must be valid UTF-8, percent-encoded"),
        ("%FF=1&userId=1", "query must be valid UTF-8, percent-encoded"),
    ],
)
def test_an_invalid_query_is_refused(query: str, problem: str) -> None:
    """A query with missing, double, unknown or undecodable fields is refused with the reason."""
    assert query_problem(query) == problem


@pytest.mark.parametrize("query", ["", None])
def test_a_missing_query_counts_as_empty(query: str | None) -> None:
    """An event without a query string is read as an empty query, which names no user."""
    assert HttpRequest(event("list", rawQueryString=query)).query(ListQuery).user_id == ""


def test_the_request_id_is_api_gateways() -> None:
    """The request id is API Gateway's, and empty when there is none."""
    assert HttpRequest(event("start")).request_id == "OaBcDhL5liAEMVg="
    assert HttpRequest(event("start", requestContext=None)).request_id == ""
    assert HttpRequest({}).request_id == ""
