"""`UNKNOWN_FIELDS`: answers to requests with fields that their route does not know."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from entrypoints.request_models import FIELDS, RequestModel, StartBody
from testing.fakes import RecordingRepository
from tests.support.documented import rows
from tests.unit.entrypoints.calls import Api, HttpAnswer, assert_problem
from tests.unit.entrypoints.test_callers import SIGNED, refusal, token

UNKNOWN: dict[str, Any] = {
    "appVersion": "4.2",
    "deviceId": "a1",
    "user": {"id": 1, "streamID": "x"},
    "stream": None,
    "ids": ["streamID", ["user_id"]],
    "": 0,
    "x" * 300: True,
    "userId ": "2",
    "stream.id": "x",
    "__proto__": {"maxStreams": 20},
    "ë": "\ud800",
    "\udfff": 1,
}
"""Fields that old players may send besides, none of which could be meant for a field of the API."""

MISSPELT = [
    "streamID",
    "streamid",
    "StreamId",
    "STREAMID",
    "stream_id",
    "stream-id",
    "Stream_Id",
    "STREAM-ID",
    "_streamId",
    "streamId-",
    "s_t-r_e-am__id",
    "\u017ftreamId",
    "user_id",
    "userID",
    "USER-ID",
    "Replaces",
    "REPLACES",
    "re_places",
    "re-places",
    "Device",
    "PLAY",
    "path_prefix",
    "Groups",
    "max_streams",
    "group-limits",
]
"""Fields of the API, each in a spelling that is not its own."""

ROUTES = ["start", "heartbeat", "end"]


@pytest.fixture
def lenient(repository: RecordingRepository) -> Api:
    """Return a service that ignores unknown fields."""
    return Api(repository, UNKNOWN_FIELDS="ignore")


def send(api: Api, route: str, fields: dict[str, Any]) -> HttpAnswer:
    """Send exactly these fields."""
    return api.call(route, body=json.dumps(fields))


def fields_at_fault(answer: HttpAnswer) -> list[str]:
    """Return the fields that a 400 names."""
    assert_problem(answer, 400, "invalid_request")
    return [error["field"] for error in answer.body["errors"]]


def test_a_player_that_sends_unknown_fields_is_served(lenient: Api) -> None:
    """With unknown fields each call is answered as it is without them, anonymous or named."""
    plain = Api()
    named = {"userId": "1", "streamId": "tv"}
    for route, fields in [
        ("start", {"userId": "1"}),
        ("end", {"userId": "1"}),
        ("start", named),
        ("heartbeat", named),
        ("end", named),
    ]:
        answer = send(lenient, route, {**UNKNOWN, **fields, "last": 1})
        assert answer == send(plain, route, fields)
        assert answer.status == 200
    query = "&".join(f"{quote(name, errors='replace')}=1" for name in ["deviceId", "", "stream.id", "ë"])
    assert lenient.call("list", rawQueryString=f"userId=1&{query}") == plain.call(
        "list", rawQueryString="userId=1"
    )


@pytest.mark.parametrize("row", rows("migrate.md", "the body of an old player"), ids=lambda row: row[0])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_bodies_of_old_players_are_answered_as_documented(row: list[str], content_type: str) -> None:
    """Each start of the table gets the statuses of its row; an admitted stream can be ended."""
    body, *statuses = (cell.strip("`") for cell in row)
    for unknown_fields, status in zip(["refuse", "ignore"], statuses, strict=True):
        api = Api(UNKNOWN_FIELDS=unknown_fields)
        sent = {"body": body, "headers": {"content-type": content_type}}
        started = api.call("start", **sent)
        assert started.status == int(status)
        assert (api.call("end", **sent).status == 200) is (started.status == 200)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", [name for name in UNKNOWN if name != "\udfff"])
@pytest.mark.parametrize("variable", ["", "refuse"])
def test_unknown_fields_are_refused_by_default(route: str, name: str, variable: str) -> None:
    """By default an unknown field is refused with a 400 that names it."""
    answer = send(Api(UNKNOWN_FIELDS=variable), route, {"userId": "1", "streamId": "tv", name: "x"})

    assert fields_at_fault(answer) == [name[:64] or '""']


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("variable", ["refuse", "ignore"])
@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelled_field_is_refused(
    name: str, variable: str, route: str, repository: RecordingRepository
) -> None:
    """A misspelled field is refused on every route and under either setting, beside the right one too."""
    api = Api(repository, UNKNOWN_FIELDS=variable)
    for others in ({"userId": "1"}, {"userId": "1", "streamId": "tv"}):
        answer = send(api, route, {**others, name: "tv"})
        assert name in fields_at_fault(answer)
    assert repository.writes == []


@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelled_field_of_a_query_is_refused(name: str, lenient: Api) -> None:
    """A misspelled field of a query is refused as in a body."""
    answer = lenient.call("list", rawQueryString=f"userId=1&{quote(name)}=1")

    assert fields_at_fault(answer) == [name]


def test_every_misspelled_field_is_named(lenient: Api) -> None:
    """Every misspelled field is named at once, and unknown fields are not among them."""
    answer = send(lenient, "start", {"user_id": "1", "streamID": "tv", "appVersion": 1})

    assert fields_at_fault(answer) == ["user_id", "streamID"]


@pytest.mark.parametrize("name", ["device", "replaces", "pathPrefix", "maxStreams", "groupLimits"])
def test_a_field_of_another_route_is_unknown(name: str, lenient: Api) -> None:
    """A field of another route is ignored, so that players of a later release are served."""
    lenient.start("1", streamId="tv")

    assert send(lenient, "heartbeat", {"userId": "1", "streamId": "tv", name: {}}).status == 200


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"userId": 1}, "userId"),
        ({"userId": ""}, "userId"),
        ({}, "userId"),
        ({"userId": "1", "streamId": 7}, "streamId"),
        ({"userId": "1", "streamId": ["tv"]}, "streamId"),
        ({"userId": "1", "streamId": {"id": "tv"}}, "streamId"),
        ({"userId": "1", "streamId": ""}, "streamId"),
        ({"userId": "1", "streamId": "a b"}, "streamId"),
        ({"userId": "1", "device": "tv"}, "device"),
        ({"userId": "1", "streamId": "tv", "replaces": 7}, "replaces"),
        ({"userId": "1", "streamId": "tv", "maxStreams": 7}, "maxStreams"),
    ],
)
def test_known_fields_are_still_checked(
    fields: dict[str, Any], field: str, lenient: Api, repository: RecordingRepository
) -> None:
    """A known field's type, its rules and its permitted callers are checked, whatever is ignored."""
    assert fields_at_fault(send(lenient, "start", {**UNKNOWN, **fields})) == [field]
    assert repository.writes == []


@pytest.mark.parametrize("body", ["[]", "1", '"userId"', "null", "{", '{"userId": "1", "x": 1, "x": 2}'])
def test_a_body_must_still_be_an_object(body: str, lenient: Api) -> None:
    """An ambiguous or unreadable body is still refused."""
    assert_problem(lenient.call("start", body=body), 400, "invalid_request")


def test_the_limits_of_groups_stay_strict() -> None:
    """A group that is not configured is refused, because ignoring it would change the limit."""
    api = Api(AUTH="iam", UNKNOWN_FIELDS="ignore", GROUP_LIMITS="uhd=2")

    def start(limits: dict[str, Any]) -> HttpAnswer:
        fields = {"userId": "1", "streamId": "tv", "groupLimits": limits}
        return api.call("start", requestContext=SIGNED, body=json.dumps(fields))

    assert start({"uhd": 1}).status == 200
    for limits in ({"uhd": 1, "UHD": 1}, {"uhd": 1, "colour": 1}, {"uhd": 1, "colour": "red"}):
        assert fields_at_fault(start(limits)) == ["groupLimits"]


def test_a_token_still_decides_the_user_and_the_limit() -> None:
    """Another user, or a player's own limit, is refused and not ignored as an unknown field."""
    api = Api(AUTH="jwt", UNKNOWN_FIELDS="ignore")

    def start(**fields: Any) -> HttpAnswer:
        return api.call("start", requestContext=token(), body=json.dumps(fields))

    assert refusal(start(userId="viewer-2")) == (403, "other_user")
    assert refusal(start(user_id="viewer-2")) == (400, "invalid_request")
    assert refusal(start(maxStreams=20)) == (400, "invalid_request")
    assert start(user="viewer-2").status == 200


def test_a_start_has_every_known_field() -> None:
    """The fields whose other spellings are refused are those of all models."""
    fields = {field.alias for model in RequestModel.__subclasses__() for field in model.model_fields.values()}

    assert set(FIELDS.values()) == fields
    assert StartBody in RequestModel.__subclasses__()
