import base64
import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from testing.fakes import RecordingRepository
from tests.unit.entrypoints.calls import Api, HttpAnswer

NAMES = st.sampled_from(["userId", "streamId", "device", "replaces", "", "maxStreams"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | NAMES, inner),
    max_leaves=20,
)
SMALL_VALUES = st.text(max_size=8) | st.integers() | st.lists(st.text(max_size=4), max_size=3) | st.none()
OF_EVERY_ROUTE = st.fixed_dictionaries(
    {},
    optional={
        "userId": st.sampled_from(["1", "2", ""]) | SMALL_VALUES,
        "streamId": st.sampled_from(["a", "b", ""]) | SMALL_VALUES,
        "play": st.sampled_from(["a", "b", ""]) | SMALL_VALUES,
    },
)
NEARLY_VALID = st.fixed_dictionaries(
    {"userId": st.text(max_size=8) | JSON_VALUES},
    optional={
        "streamId": st.sampled_from(["a", "b", ""]) | JSON_VALUES,
        "device": st.text(max_size=8) | JSON_VALUES,
        "replaces": st.sampled_from(["a", "b", ""]) | JSON_VALUES,
    },
)
JSON_TEXTS = st.builds(json.dumps, JSON_VALUES | NEARLY_VALID, ensure_ascii=st.booleans())
TEXTS = st.text(alphabet=st.characters(exclude_categories=()), max_size=300) | JSON_TEXTS  # surrogates too
BYTES = st.binary(max_size=300) | JSON_TEXTS.map(lambda text: text.encode(errors="surrogatepass"))
IN_BASE64 = BYTES.map(lambda content: base64.b64encode(content).decode())

USER_IDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=16).filter(str.strip)
"""Text within the rules, of 64 bytes at most: a device's label too."""

STREAM_IDS = st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True)


BAD_INPUT = {400, 413}
NOTHING_TO_DO = {"start": 403, "end": 403, "heartbeat": 410}
FIELDS = [
    "userId",
    "streamId",
    "device",
    "replaces",
    "play",
    "pathPrefix",
    "groups",
    "maxStreams",
    "groupLimits",
]


def letters(name: str) -> str:
    """Return a name without case, `_` and `-`."""
    return re.sub("[_-]", "", name).casefold()


UNKNOWN = st.text(alphabet=st.characters(exclude_categories=()), max_size=12).filter(
    lambda name: letters(name) not in map(letters, FIELDS)
)
"""Names that are not a spelling of any field."""


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """Return another spelling of a field's name."""
    name = draw(st.sampled_from(FIELDS))
    parts = [
        draw(st.sampled_from([letter.lower(), letter.upper()]))
        + draw(st.sampled_from(["", "", "", "_", "-"]))
        for letter in name
    ]
    spelling = draw(st.sampled_from(["", "_", "-"])) + "".join(parts)
    assume(spelling != name)
    return spelling


def check(
    route: str,
    *,
    body: str,
    isBase64Encoded: bool,  # noqa: N803 - the event's own name
    unknown_fields: str = "refuse",
) -> None:
    """Check that the answer is well formed whatever the body, and that bad input writes nothing."""
    repository = RecordingRepository()
    api = Api(repository, LOG_LEVEL="error", UNKNOWN_FIELDS=unknown_fields)
    answer = api.call(route, body=body, isBase64Encoded=isBase64Encoded)

    assert answer.status in {200, NOTHING_TO_DO[route], *BAD_INPUT}
    assert (repository.writes == []) is (answer.status in BAD_INPUT)
    if answer.status in BAD_INPUT:
        assert answer.body["detail"]
        assert answer.body["code"] in {"invalid_request", "body_too_large"}


@pytest.mark.parametrize("route", NOTHING_TO_DO)
@given(body=TEXTS)
def test_any_text_is_answered(route: str, body: str) -> None:
    """No text as a body breaks the service, and text that violates the contract writes nothing."""
    check(route, body=body, isBase64Encoded=False)


@pytest.mark.parametrize("route", NOTHING_TO_DO)
@given(body=TEXTS)
def test_any_text_is_answered_where_unknown_fields_are_ignored(route: str, body: str) -> None:
    """Any text is answered in the same way under `UNKNOWN_FIELDS=ignore`."""
    check(route, body=body, isBase64Encoded=False, unknown_fields="ignore")


@pytest.mark.parametrize("route", NOTHING_TO_DO)
@given(fields=OF_EVERY_ROUTE, unknown=st.dictionaries(UNKNOWN, SMALL_VALUES, max_size=4))
def test_ignored_fields_change_no_answer(route: str, fields: dict[str, Any], unknown: dict[str, Any]) -> None:
    """Ignored fields change neither the answer nor what is written."""

    def send(sent: dict[str, Any], unknown_fields: str) -> tuple[HttpAnswer, list[str]]:
        repository = RecordingRepository()
        api = Api(repository, LOG_LEVEL="error", UNKNOWN_FIELDS=unknown_fields)
        return api.call(route, body=json.dumps(sent)), [write.user_id for write in repository.writes]

    assert send({**unknown, **fields}, "ignore") == send(fields, "refuse")


@pytest.mark.parametrize("route", NOTHING_TO_DO)
@given(name=spellings(), value=st.sampled_from(["a", "1", ["uhd"], 1, None]), is_named=st.booleans())
def test_no_spelling_of_a_field_is_ignored(route: str, name: str, value: object, *, is_named: bool) -> None:
    """No spelling of a field turns a named stream into an anonymous one, or one user into another."""
    repository = RecordingRepository()
    fields = {"userId": "1", **({"streamId": "a"} if is_named else {}), name: value}
    answer = Api(repository, LOG_LEVEL="error", UNKNOWN_FIELDS="ignore").call(route, body=json.dumps(fields))

    assert answer.status == 400
    assert name in [error["field"] for error in answer.body["errors"]]
    assert repository.writes == []


@pytest.mark.parametrize("route", NOTHING_TO_DO)
@given(body=IN_BASE64 | TEXTS)
def test_any_bytes_are_answered(route: str, body: str) -> None:
    """Bytes in base64, and text that should be base64 and is not, are answered like any other body."""
    check(route, body=body, isBase64Encoded=True)


@given(query=st.text() | st.text(alphabet="userId=%&+;0aF") | st.text(max_size=4).map("userId={}".format))
def test_any_query_is_answered(query: str) -> None:
    """No query breaks the service."""
    assert Api(LOG_LEVEL="error").call("list", rawQueryString=query).status in {200, 400}


@given(key=st.text(alphabet=st.characters(exclude_categories=()), max_size=300))
def test_any_idempotency_key_is_answered(key: str) -> None:
    """No idempotency key breaks the service, and a bad one writes nothing."""
    repository = RecordingRepository()
    answer = Api(repository, LOG_LEVEL="error").call("start", headers={"idempotency-key": key})

    assert answer.status in {200, 400}
    assert (repository.writes == []) is (answer.status == 400)


@given(user_id=USER_IDS, stream_id=STREAM_IDS, device=st.none() | USER_IDS)
def test_a_valid_start_is_listed_as_it_was_sent(user_id: str, stream_id: str, device: str | None) -> None:
    """Every valid start is admitted, and listed under exactly the names that were sent."""
    api = Api(LOG_LEVEL="error")
    assert api.start(user_id, streamId=stream_id, device=device).status == 200
    (stream,) = api.call("list", rawQueryString=urlencode({"userId": user_id})).body["streams"]

    assert (stream["streamId"], stream.get("device")) == (stream_id, device)
