import json
import unicodedata
from typing import Any

import pytest

from entrypoints.http_request import HttpRequest, InvalidFields
from entrypoints.request_models import EndBody, HeartbeatBody, RequestModel, StartBody
from tests.unit.entrypoints.calls import event

BODIES = (StartBody, HeartbeatBody, EndBody)
NO_STRINGS = [1, 0, -1.5, True, False, [], ["1"], {}, {"S": "1"}]


def fields(model: type[RequestModel], **changes: Any) -> dict[str, Any]:
    """Return a body that is right for this model, except for these changes."""
    right: dict[str, Any] = {"userId": "1", "streamId": "play-1"}
    assert {field.alias for field in model.model_fields.values()} >= right.keys()
    return right | changes


def read(model: type[RequestModel], body: dict[str, Any]) -> Any:
    """Return the body as the model reads it, sent as JSON with every special character escaped."""
    return HttpRequest(event("start", body=json.dumps(body))).body(model)


def problems(model: type[RequestModel], body: dict[str, Any]) -> list[str]:
    """Return everything that is wrong with the body."""
    with pytest.raises(InvalidFields) as caught:
        read(model, body)
    return [str(error) for error in caught.value.errors]


@pytest.mark.parametrize("model", BODIES)
def test_a_user_may_be_omitted(model: type[RequestModel]) -> None:
    """A body may leave the user out for a token to name, and is then read with an empty user id."""
    body = fields(model)
    del body["userId"]

    assert read(model, body).user_id == ""


@pytest.mark.parametrize("value", [-1, 21, 1.0, "3", True, [], 10**400])
def test_a_limit_must_be_a_valid_number(value: object) -> None:
    """A body cannot ask for a limit that no user can have."""
    assert problems(StartBody, fields(StartBody, maxStreams=value)) == [
        "maxStreams must be a whole number from 0 to 20"
    ]


@pytest.mark.parametrize("model", BODIES)
@pytest.mark.parametrize("value", [None, *NO_STRINGS])
def test_a_user_must_be_a_string(model: type[RequestModel], value: object) -> None:
    """A user id of any other type is refused, never converted: 1 and "1" would become one user."""
    assert problems(model, fields(model, userId=value)) == ["userId must be a string"]


@pytest.mark.parametrize("field", ["streamId", "device", "replaces"])
@pytest.mark.parametrize("value", NO_STRINGS)
def test_other_texts_must_be_strings(field: str, value: object) -> None:
    """No text field takes a value of another type."""
    assert problems(StartBody, fields(StartBody, **{field: value})) == [f"{field} must be a string"]


@pytest.mark.parametrize("model", BODIES)
@pytest.mark.parametrize(
    ("user_id", "reason"),
    [
        ("", "must not be blank"),
        (" ", "must not be blank"),
        ("\t\n", "must not be blank"),
        ("\u00a0\u2003\u3000", "must not be blank"),
        ("a" * 129, "must be at most 128 bytes in UTF-8"),
        ("ë" * 64 + "a", "must be at most 128 bytes in UTF-8"),
        ("😀" * 33, "must be at most 128 bytes in UTF-8"),
        ("a\nb", "must not contain control characters"),
        ("\x00", "must not contain control characters"),
        ("a\x1b[31m", "must not contain control characters"),
        ("a\x7f", "must not contain control characters"),
        ("a\u0085", "must not contain control characters"),
        ("\ud800", "must be valid Unicode text"),
        ("a\udfffb", "must be valid Unicode text"),
    ],
)
def test_an_invalid_user_is_refused(model: type[RequestModel], user_id: str, reason: str) -> None:
    """A user id that is blank, too long or not plain text is refused with the broken rule."""
    assert problems(model, fields(model, userId=user_id)) == [f"userId {reason}"]


@pytest.mark.parametrize(
    "user_id",
    [
        "1",
        "a" * 128,
        "ë" * 64,
        "😀" * 32,
        " 1 ",
        "a b",
        "stream#x",
        "user@example.org",
        '"\\',
        "\u200b",
        "\u202e",
        "\ufeff",
        "\u00eb",
        "e\u0308",
    ],
)
def test_a_valid_user_is_unchanged(user_id: str) -> None:
    """Text within the rules is neither trimmed nor normalised."""
    assert read(StartBody, {"userId": user_id}).user_id == user_id


def test_an_escaped_pair_of_surrogates_is_one_character() -> None:
    """A character beyond the first plane, which JSON escapes as a pair, is one valid character."""
    body = HttpRequest(event("start", body='{"userId": "\\ud83d\\ude00"}')).body(StartBody)

    assert body.user_id == "😀"


def test_composed_and_decomposed_letters_are_two_users() -> None:
    """Composed and decomposed spellings are two user ids, as in every other store."""
    composed, decomposed = (unicodedata.normalize(form, "zoë") for form in ("NFC", "NFD"))

    assert composed != decomposed
    assert read(StartBody, {"userId": composed}).user_id == composed
    assert read(StartBody, {"userId": decomposed}).user_id == decomposed


@pytest.mark.parametrize("model", BODIES)
@pytest.mark.parametrize("name", ["user_id", "userid", "maxstreams", "stream_id", "__proto__", "x y", "ë"])
def test_unknown_fields_are_refused(model: type[RequestModel], name: str) -> None:
    """A misspelled field is refused, not dropped."""
    assert problems(model, fields(model, **{name: "1"})) == [f"{name} is not a known field"]


@pytest.mark.parametrize("field", ["device", "replaces"])
@pytest.mark.parametrize("model", [HeartbeatBody, EndBody])
def test_a_field_of_another_route_is_refused(model: type[RequestModel], field: str) -> None:
    """A field of one route is unknown to the others."""
    assert problems(model, fields(model, **{field: "x"})) == [f"{field} is not a known field"]


@pytest.mark.parametrize("model", BODIES)
@pytest.mark.parametrize("text", ["", "a b", "a/b", "a#b", "ë", "a\n", "\ud800", "a" * 65])
def test_an_invalid_stream_id_is_refused(model: type[RequestModel], text: str) -> None:
    """A stream's name is 1 to 64 characters of a small alphabet."""
    rule = "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -"

    assert problems(model, fields(model, streamId=text)) == [f"streamId {rule}"]


@pytest.mark.parametrize("text", ["", "a b", "\ud800", "a" * 65])
def test_an_invalid_replaced_stream_id_is_refused(text: str) -> None:
    """The replaced stream's name follows the same rule, and the problem names its own field."""
    rule = "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -"

    assert problems(StartBody, fields(StartBody, replaces=text)) == [f"replaces {rule}"]


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("", "must not be blank"),
        (" ", "must not be blank"),
        ("ë" * 33, "must be at most 64 bytes in UTF-8"),
        ("a\tb", "must not contain control characters"),
        ("\udc00", "must be valid Unicode text"),
    ],
)
def test_an_invalid_device_is_refused(device: str, reason: str) -> None:
    """A device's label is a short plain text."""
    assert problems(StartBody, fields(StartBody, device=device)) == [f"device {reason}"]


def test_the_longest_names_are_accepted() -> None:
    """Stream and device names of the greatest length are allowed."""
    body = read(StartBody, {"userId": "1", "streamId": "aZ0._:-9" * 8, "device": "ë" * 32})

    assert (body.stream_id, body.device) == ("aZ0._:-9" * 8, "ë" * 32)


@pytest.mark.parametrize("field", ["streamId", "device", "replaces"])
def test_null_counts_as_omitted(field: str) -> None:
    """An optional field that is null counts as left out."""
    assert read(StartBody, {"userId": "1", field: None}) == read(StartBody, {"userId": "1"})


def test_a_heartbeat_must_name_its_stream() -> None:
    """A heartbeat without a stream's name is refused."""
    assert problems(HeartbeatBody, {"userId": "1"}) == ["streamId is required"]
    assert problems(HeartbeatBody, {"userId": "1", "streamId": None}) == ["streamId must be a string"]


@pytest.mark.parametrize("field", ["device", "replaces"])
def test_device_and_replaces_require_a_named_stream(field: str) -> None:
    """`device` and `replaces` are refused without a stream's name."""
    assert problems(StartBody, {"userId": "1", field: "x"}) == [f"{field} must come with a streamId"]
    both_null = {"userId": "1", "streamId": None, field: "x"}
    assert problems(StartBody, both_null) == [f"{field} must come with a streamId"]


def test_a_stream_does_not_replace_itself() -> None:
    """A start that replaces its own stream is refused."""
    assert problems(StartBody, fields(StartBody, replaces="play-1")) == ["replaces must differ from streamId"]


def test_every_problem_is_reported() -> None:
    """One answer lists everything that is wrong."""
    wrong = {"userId": 1, "streamId": " ", "device": "\n", "colour": "red"}

    assert problems(StartBody, wrong) == [
        "userId must be a string",
        "streamId must be 1 to 64 characters of A-Z a-z 0-9 . _ : -",
        "device must not be blank",
        "colour is not a known field",
    ]
