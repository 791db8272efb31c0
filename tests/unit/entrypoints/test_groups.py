"""Groups over HTTP: their configuration, their limits by caller, and the answers."""

import json
from typing import Any

import pytest

from domain.errors import StoreUnavailable
from testing.fakes import FailingRepository, RecordingRepository
from tests.unit.entrypoints.calls import Api, HttpAnswer, assert_problem
from tests.unit.entrypoints.test_callers import SIGNED, SUBJECT, token

PLAN: Any = {"GROUP_LIMITS": "uhd=1,away=1", "GROUP_LABELS": "hd"}


@pytest.fixture
def api() -> Api:
    """Return a service whose plan is three streams, one of them in UHD and one away from home."""
    return Api(**PLAN)


def errors(answer: HttpAnswer) -> list[dict[str, str]]:
    """Return the errors in the fields of a request."""
    assert_problem(answer, 400, "invalid_request")
    found: list[dict[str, str]] = answer.body["errors"]
    return found


def test_the_second_stream_of_a_full_group_is_refused(api: Api) -> None:
    """The refusal names the group and its limit, and the same stream is admitted without the group."""
    assert api.start("1", streamId="tv", groups=["uhd"]).body["groups"] == ["uhd"]
    refused = api.start("1", streamId="tablet", groups=["uhd"])
    assert_problem(refused, 403, "limit_reached")
    assert refused.body["limit"] == {"group": "uhd", "max": 1}
    assert refused.body["maxStreams"] == 3
    assert refused.body["detail"] == "The maximum of 1 simultaneous stream in the group uhd is reached."
    assert refused.body["streams"][0]["groups"] == ["uhd"]
    assert api.start("1", streamId="tablet").status == 200
    assert api.end("1", streamId="tv", groups=["uhd"]).body["ended"] is True
    assert api.start("1", streamId="phone", groups=["uhd"]).status == 200


@pytest.mark.parametrize(
    ("limit", "groups", "detail"),
    [
        (0, [], "This user may not watch any stream."),
        (0, ["uhd"], "This user may not watch any stream."),
        (1, [], "The maximum of 1 simultaneous stream is reached."),
        (2, [], "The maximum of 2 simultaneous streams is reached."),
    ],
)
def test_a_refusals_text_fits_the_number(limit: int, groups: list[str], detail: str) -> None:
    """A refusal says "one stream" or "two streams", and a limit of zero has no maximum to reach."""
    api = Api(MAX_STREAMS=str(limit), GROUP_LIMITS="uhd=1")
    for number in range(limit):
        assert api.start("1", streamId=f"tv-{number}").status == 200
    assert api.start("1", streamId="tablet", groups=groups).body["detail"] == detail


def test_a_full_total_names_no_group(api: Api) -> None:
    """`limit` is left out where it is the total, also for a stream in a group that is full as well."""
    api.start("1", streamId="a", groups=["uhd"])
    api.start("1", streamId="b")
    api.start("1", streamId="c")
    refused = api.start("1", streamId="d", groups=["uhd"])
    assert_problem(refused, 403, "limit_reached")
    assert "limit" not in refused.body
    assert refused.body["detail"] == "The maximum of 3 simultaneous streams is reached."


def test_groups_are_shown_in_order(api: Api) -> None:
    """Answers and lists show groups in order; a stream without groups has no such field."""
    named = {"streamId": "tv", "groups": ["uhd", "away", "hd"]}
    assert api.start("1", **named).body["groups"] == ["away", "hd", "uhd"]
    assert api.heartbeat("1", streamId="tv").body["groups"] == ["away", "hd", "uhd"]
    plain = api.start("1", streamId="phone").body
    listed = api.call("list", rawQueryString="userId=1").body["streams"]
    assert [stream.get("groups") for stream in listed] == [None, ["away", "hd", "uhd"]]
    assert "groups" not in plain


@pytest.mark.parametrize(
    ("groups", "detail"),
    [
        (["4k"], "groups must be configured groups"),
        (["uhd", "uhd"], "groups must be at most 4, none of them twice"),
        (["a", "b", "c", "d", "e"], "groups must be at most 4, none of them twice"),
        (["ultra hd"], "groups must each be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        ([""], "groups must each be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        (["x" * 33], "groups must each be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        ([1], "groups must hold strings only"),
        ("uhd", "groups must be an array"),
        ({"uhd": 1}, "groups must be an array"),
        (None, "groups must be an array"),
    ],
)
def test_invalid_groups_are_a_400(api: Api, groups: Any, detail: str) -> None:
    """A 400 names the field of the bad groups, and nothing is counted."""
    assert errors(api.start("1", streamId="tv", groups=groups)) == [{"field": "groups", "detail": detail}]
    assert api.call("list", rawQueryString="userId=1").body["streamCount"] == 0


@pytest.mark.parametrize("call", ["start", "end"])
def test_groups_require_a_named_stream(api: Api, call: str) -> None:
    """An anonymous stream cannot be in a group."""
    answer = getattr(api, call)("1", groups=["uhd"])
    assert errors(answer) == [{"field": "groups", "detail": "groups must come with a streamId"}]


def test_an_end_that_names_the_groups_is_one_write() -> None:
    """An end that names the start's groups is one write; without them it is two."""
    repository = RecordingRepository()
    api = Api(repository, **PLAN)
    for groups, writes in ((["uhd", "hd"], 1), ([], 2)):
        api.start("1", streamId="tv", groups=["hd", "uhd"])
        repository.writes.clear()
        assert api.end("1", streamId="tv", groups=groups).body["ended"] is True
        assert len(repository.writes) == writes


def test_an_end_accepts_groups_that_are_no_longer_configured(api: Api) -> None:
    """A stream from before the settings changed can be ended by the groups that it began with."""
    assert api.end("1", streamId="tv", groups=["4k"]).body["ended"] is False


def test_a_token_can_carry_limits_of_groups() -> None:
    """A token's limits of groups replace the configured ones, also for a group that is only counted."""
    api = Api(AUTH="jwt", **PLAN)

    def start(stream: str, group: str, **claims: str) -> HttpAnswer:
        body = json.dumps({"streamId": stream, "groups": [group]})
        return api.call("start", requestContext=token(**claims), body=body)

    plan = {"groupLimits": "uhd=2,hd=0,elsewhere=3"}
    assert [start(name, "uhd", **plan).status for name in "abc"] == [200, 200, 403]
    assert start("d", "hd", **plan).body["limit"] == {"group": "hd", "max": 0}
    assert start("d", "hd", **plan).body["detail"] == "This user may not watch any stream in the group hd."
    assert start("d", "away", **plan).status == 200


@pytest.mark.parametrize("claim", ["uhd", "uhd=x", "[uhd=1]", "uhd=21", "uhd=1,uhd=1", ["uhd=1"], 1])
def test_limits_of_groups_are_never_guessed(claim: object) -> None:
    """A claim of another form is refused if the request names groups."""
    api = Api(AUTH="jwt", **PLAN)
    context = token(groupLimits=claim)
    grouped = json.dumps({"streamId": "tv", "groups": ["uhd"]})
    assert_problem(api.call("start", requestContext=context, body=grouped), 403, "invalid_limit")
    assert api.call("start", requestContext=context, body=json.dumps({"streamId": "tv"})).status == 200


def test_a_backend_may_send_limits_of_groups() -> None:
    """`groupLimits` of a signed request replaces the configured limits."""
    api = Api(AUTH="iam", **PLAN)

    def start(stream: str, **fields: Any) -> HttpAnswer:
        body = json.dumps({"userId": SUBJECT, "streamId": stream, "groups": ["uhd"], **fields})
        return api.call("start", requestContext=SIGNED, body=body)

    assert [start(name, groupLimits={"uhd": 2}).status for name in "abc"] == [200, 200, 403]
    assert errors(start("d", groupLimits={"4k": 2})) == [
        {"field": "groupLimits", "detail": "groupLimits must name configured groups only"}
    ]
    for limits in ({"uhd": 21}, {"uhd": -1}, {"uhd": "2"}, {"uhd": True}):
        detail = "groupLimits must hold whole numbers from 0 to 20 only"
        assert errors(start("d", groupLimits=limits)) == [{"field": "groupLimits", "detail": detail}]


@pytest.mark.parametrize("auth", ["none", "jwt"])
def test_only_a_backend_may_send_limits_of_groups(auth: str) -> None:
    """A player may not send limits of groups, because it could send any limit."""
    api = Api(AUTH=auth, **PLAN)
    body = json.dumps({"userId": SUBJECT, "streamId": "tv", "groupLimits": {"uhd": 9}})
    answer = api.call("start", requestContext=token(), body=body)
    detail = "groupLimits is for signed requests of a backend only"
    assert errors(answer) == [{"field": "groupLimits", "detail": detail}]


def test_events_name_the_group(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The event of a refusal names the group, as does a start that shadow mode would refuse."""
    for service in (api, Api(ENFORCEMENT="shadow", **PLAN)):
        service.start("1", streamId="tv", groups=["uhd"])
        service.start("1", streamId="phone", groups=["uhd"])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event.get("limit_group") for event in events] == [None, "uhd", None, "uhd"]
    assert [event["outcome"] for event in events] == ["admitted", "refused", "admitted", "would_refuse"]


def test_a_blocked_group_is_refused_in_an_outage() -> None:
    """A start into a group of limit 0 is refused without the store; others are admitted."""
    api = Api(FailingRepository(StoreUnavailable()), ON_STORE_FAILURE="open", GROUP_LIMITS="uhd=0,away=1")
    refused = api.start("1", streamId="tv", groups=["away", "uhd"])
    assert refused.body["limit"] == {"group": "uhd", "max": 0}
    assert api.start("1", streamId="tv", groups=["away"]).body["verified"] is False
