"""The operator's routes: list and end any user's streams under an operator's signature."""

import json
from typing import Any, Final

import pytest

from adapters.store_calls import StoreCalls
from entrypoints import bootstrap, operator_routes
from entrypoints.settings import Settings
from testing.fakes import FakeClock, RecordingRepository
from tests.support import documented
from tests.unit.domain.races import RacingRepository
from tests.unit.entrypoints.calls import (
    OPERATOR_CALLS,
    Api,
    LambdaContext,
    assert_problem,
    event,
    in_seconds,
    moment,
)

OPERATOR = "arn:aws:sts::123456789012:assumed-role/support/desk"
WITHOUT_SIGNATURE: Final[tuple[Any, ...]] = (
    None,
    {},
    {"jwt": {"claims": {"sub": "1"}, "scopes": []}},
    {"iam": {}},
    {"iam": {"userArn": ""}},
    {"iam": {"userArn": None}},
)
"""The context that API Gateway adds for a caller whose signature it has not checked."""

PLAYBACK_KEY = f"2026-a:{'k' * 43}"


def events(captured: str) -> list[dict[str, Any]]:
    """Return the events that were logged, after a check that each is as docs/events.md has it."""
    found = [json.loads(line) for line in captured.splitlines()]
    for one in found:
        documented.check(one)
    return found


def unsigned(name: str) -> dict[str, Any]:
    """Return the context of a call without what API Gateway adds to a signed one."""
    context = event(name)["requestContext"]
    return {key: value for key, value in context.items() if key != "authorizer"}


@pytest.fixture
def api(clock: FakeClock) -> Api:
    """Return the service with groups and playback tokens."""
    return Api(clock=clock, PLAYBACK_KEY=PLAYBACK_KEY, GROUP_LIMITS="uhd=2", AUTH="none")


def test_an_operator_sees_the_streams_that_hold_the_slots(api: Api, clock: FakeClock) -> None:
    """The list has devices, groups, starts, expiries, the anonymous count and its presumed expiry."""
    api.start("1", streamId="tv", device="living room", groups=["uhd"])
    clock.advance(10)
    api.start("1")

    seen = api.call("operator_list")

    assert seen.status == 200
    assert seen.body["streamCount"] == 2
    assert seen.body["anonymousCount"] == 1
    assert moment(seen.body["anonymousExpiresAt"]) == in_seconds(clock, 43_200)
    (stream,) = seen.body["streams"]
    assert moment(stream.pop("startedAt")) == in_seconds(clock, -10)
    assert moment(stream.pop("expiresAt")) == in_seconds(clock, 80)
    assert stream == {"streamId": "tv", "device": "living room", "groups": ["uhd"]}
    assert seen.body["spentTokens"] == []
    assert "maxStreams" not in seen.body, "the user's plan is in the user's token, which is not here"


def test_an_operator_sees_the_path_of_a_stream(clock: FakeClock) -> None:
    """The list has the path that a backend requested."""
    api = Api(clock=clock, PLAYBACK_KEY=PLAYBACK_KEY, AUTH="iam")
    signed = {"requestContext": event("operator_list")["requestContext"]}
    body = json.dumps({"userId": "1", "streamId": "tv", "pathPrefix": "/film-1/"})
    assert api.call("start", body=body, **signed).status == 200

    (stream,) = api.call("operator_list").body["streams"]
    assert stream["pathPrefix"] == "/film-1/"


def test_an_operator_sees_the_ended_streams_that_still_count(api: Api, clock: FakeClock) -> None:
    """The list has the ended streams that still count, the first to be forgotten first."""
    for name in ("a", "b"):
        api.start("1", streamId=name)
        api.end("1", streamId=name)
        clock.advance(5)

    spent = api.call("operator_list").body["spentTokens"]
    assert [token["streamId"] for token in spent] == ["a", "b"]
    assert [moment(token["tokenExpiresAt"]) for token in spent] == [
        in_seconds(clock, 80),
        in_seconds(clock, 85),
    ]

    clock.advance(83)
    assert [token["streamId"] for token in api.call("operator_list").body["spentTokens"]] == ["b"]


def test_a_restarted_stream_is_not_listed_as_a_spent_token(api: Api) -> None:
    """A stream that has started again after its end is listed among the streams only."""
    api.start("1", streamId="tv")
    api.end("1", streamId="tv")
    api.start("1", streamId="tv")

    seen = api.call("operator_list").body
    assert [stream["streamId"] for stream in seen["streams"]] == ["tv"]
    assert seen["spentTokens"] == []


def test_expired_anonymous_streams_are_not_shown(api: Api, clock: FakeClock) -> None:
    """Expired anonymous streams take no slot any more, and are not shown."""
    api.start("1")
    clock.advance(43_203)

    seen = api.call("operator_list").body
    assert seen == {"streamCount": 0, "anonymousCount": 0, "streams": [], "spentTokens": []}


def test_an_operator_ends_one_stream(api: Api) -> None:
    """Ending one stream leaves all others, and a repeat finds no stream to end."""
    api.start("1", streamId="play-1", groups=["uhd"])
    api.start("1", streamId="pc")
    api.start("1")

    assert api.call("operator_end_named").body == {
        "streamCount": 2,
        "endedStreams": ["play-1"],
        "endedAnonymous": 0,
    }
    assert api.call("operator_end_named").body == {"streamCount": 2, "endedStreams": [], "endedAnonymous": 0}
    assert api.heartbeat("1", streamId="play-1").status == 410
    assert api.heartbeat("1", streamId="pc").status == 200


def test_an_operator_ends_all_streams_of_one_user(api: Api, clock: FakeClock) -> None:
    """All of a user's streams, named or not, live or expired, end in one write; other users' go on."""
    api.start("1", streamId="crashed")
    clock.advance(93)
    api.start("1", streamId="tv")
    api.start("1")
    api.start("2", streamId="tv")

    ended = api.call("operator_end").body

    assert ended["streamCount"] == 0
    assert sorted(ended["endedStreams"]) == ["crashed", "tv"]
    assert ended["endedAnonymous"] == 1
    assert api.call("operator_end").body == {"streamCount": 0, "endedStreams": [], "endedAnonymous": 0}
    assert api.heartbeat("2", streamId="tv").status == 200


@pytest.mark.parametrize("name", ["operator_end", "operator_end_named"])
def test_an_operators_end_keeps_the_token_counted(name: str, api: Api) -> None:
    """An end by an operator does not help a script around the token bound."""
    api.start("1", streamId="play-1")

    assert api.call(name).body["endedStreams"] == ["play-1"]

    (spent,) = api.call("operator_list").body["spentTokens"]
    assert spent["streamId"] == "play-1"


def test_an_end_that_loses_every_race_is_contended(clock: FakeClock) -> None:
    """An end that loses every race is answered that nothing was ended and that a retry may work."""
    store = RecordingRepository()
    player = Api(store, clock, MAX_STREAMS="20")
    player.start("1", streamId="tv")
    racing = RacingRepository(store, lambda number: player.start("1", streamId=f"race-{number}"))

    assert_problem(Api(racing, clock).call("operator_end"), 503, "contended")

    assert player.call("list").body["streamCount"] == 1 + racing.rounds


def test_each_route_of_operators_is_among_their_ordinary_calls() -> None:
    """The tests over all calls of operators leave out no route."""
    assert {event(name)["routeKey"] for name in OPERATOR_CALLS} == operator_routes.ROUTES.keys()


@pytest.mark.parametrize("auth", ["none", "jwt", "iam"])
@pytest.mark.parametrize("name", OPERATOR_CALLS)
def test_an_operator_needs_a_signature_in_every_mode(
    name: str, auth: str, repository: RecordingRepository
) -> None:
    """A route without its authorizer trusts no caller, whatever `AUTH` is, not even with a token."""
    api = Api(repository, AUTH=auth)
    assert api.call(name).status == 200
    done = len(repository.writes)
    for authorizer in WITHOUT_SIGNATURE:
        context = {**unsigned(name), "authorizer": authorizer}
        assert_problem(api.call(name, requestContext=context), 403, "not_allowed")
    assert_problem(api.call(name, requestContext=unsigned(name)), 403, "not_allowed")
    assert len(repository.writes) == done


@pytest.mark.parametrize("name", OPERATOR_CALLS)
@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        ("", "userId", "userId is required"),
        ("userId=", "userId", "userId must not be blank"),
        ("userId=1&userId=2", "userId", "userId must not be given twice"),
        ("userId=1&maxStreams=3", "maxStreams", "maxStreams is not a known field"),
        ("userId=%zz", "userId", "userId must be percent-encoded"),
    ],
)
def test_an_operator_must_name_one_user(name: str, query: str, field: str, detail: str) -> None:
    """A query that does not name exactly one user is refused; nothing is read or ended."""
    answer = Api().call(name, rawQueryString=query)

    assert_problem(answer, 400, "invalid_request")
    assert answer.body["errors"] == [{"field": field, "detail": detail}]


def test_an_empty_stream_id_is_refused() -> None:
    """An empty `streamId` is refused, and does not mean all streams."""
    for query in ("userId=1&streamId=", "userId=1&streamId=a%20b"):
        answer = Api().call("operator_end", rawQueryString=query)
        assert_problem(answer, 400, "invalid_request")
        assert answer.body["errors"][0]["field"] == "streamId"


@pytest.mark.parametrize("setting", ["refuse", "ignore"])
@pytest.mark.parametrize("call", OPERATOR_CALLS)
@pytest.mark.parametrize(
    "name", ["stream", "streamIds", "id", "trace", "", "streamID", "stream_id", "stream-id"]
)
def test_an_unknown_field_of_an_operator_is_refused(
    name: str, call: str, setting: str, repository: RecordingRepository
) -> None:
    """An unknown field of an operator is refused under either setting, and no stream is ended."""
    api = Api(repository, UNKNOWN_FIELDS=setting)
    for stream in ("tv", "phone"):
        api.start("1", streamId=stream)
    started = len(repository.writes)

    refused = api.call(call, rawQueryString=f"userId=1&{name}=tv")

    shown = name or '""'
    assert_problem(refused, 400, "invalid_request")
    assert refused.body["errors"] == [{"field": shown, "detail": f"{shown} is not a known field"}]
    assert len(repository.writes) == started


def test_any_user_id_can_be_named(api: Api) -> None:
    """The user is in the query and not in the path, so any user id can be named."""
    for user, query in (("..", ".."), ("a/b", "a%2Fb"), ("é&=", "%C3%A9%26%3D")):
        api.start(user, streamId="tv")
        assert api.call("operator_list", rawQueryString=f"userId={query}").body["streamCount"] == 1
        assert api.call("operator_end", rawQueryString=f"userId={query}").body["endedStreams"] == ["tv"]


def test_events_name_the_operator_and_no_user(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The event has the ARN that signed, also of a call that is not valid, and the user's hash."""
    api.start("viewer-1", streamId="play-1")
    query = "userId=viewer-1"
    for name, more in (
        ("operator_list", ""),
        ("operator_end", "&streamId=play-1"),
        ("operator_end", ""),
        ("operator_end", "&x=1"),
    ):
        api.call(name, rawQueryString=query + more)

    started, *logged = events(capsys.readouterr().out)

    assert "operator" not in started
    assert {one["operator"] for one in logged} == {OPERATOR}
    assert [(one["route"], one["outcome"]) for one in logged] == [
        ("GET /operator/streams", "listed"),
        ("DELETE /operator/streams", "ended"),
        ("DELETE /operator/streams", "already_ended"),
        ("DELETE /operator/streams", "invalid"),
    ]
    assert [one.get("user") for one in logged] == [started["user"]] * 3 + [None]
    assert "viewer-1" not in json.dumps(logged)


def test_a_call_without_a_signature_is_logged_as_a_failure(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    """A call without a signature is logged as a failure, because API Gateway should have stopped it."""
    api.call("operator_list", requestContext=unsigned("operator_list"))

    (logged,) = events(capsys.readouterr().out)
    assert (logged["level"], logged["outcome"], logged["code"]) == ("error", "failed", "not_allowed")
    assert "operator" not in logged


def test_one_function_answers_both_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One function answers both routes, by the route that API Gateway names in the event."""
    service = bootstrap.build(
        Settings.from_environment({"TABLE_NAME": "streams"}),
        RecordingRepository(),
        FakeClock(),
        StoreCalls(),
    )
    monkeypatch.setattr(bootstrap, "service", lambda: service)

    listed = operator_routes.handler(event("operator_list"), LambdaContext())
    ended = operator_routes.handler(event("operator_end"), LambdaContext())

    assert "spentTokens" in json.loads(listed["body"])
    assert "endedStreams" in json.loads(ended["body"])
