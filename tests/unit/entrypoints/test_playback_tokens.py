"""Playback tokens as callers meet them: in answers, cookies, refusals, and never in a log."""

import json
from typing import Any

import pytest

from adapters.aws.errors import NoAnswer
from adapters.playback_keys import parse_keys
from adapters.playback_token import TokenMint
from domain.errors import StoreUnavailable
from testing.fakes import FailingRepository, FakeClock, RecordingRepository
from tests.edge.verifier import verify
from tests.support.logs import leaks
from tests.unit.entrypoints.calls import Api, assert_problem
from tests.unit.entrypoints.test_callers import SIGNED

KEY = f"2026-a:{'k' * 43}"
OLD = f"2025-b:{'o' * 43}"
PARAMETER = "/stream-limiter/playback-key"


class FakeParameter:
    """A Parameter Store that holds one parameter.

    Attributes:
        value: the parameter's value; `None` if it is unavailable.
        reads: the number of reads.
    """

    def __init__(self, value: str | None) -> None:
        self.value = value
        self.reads = 0

    def call(self, operation: str, request: Any) -> dict[str, Any]:
        """Return the parameter, which must be requested decrypted."""
        assert (operation, request) == (
            "GetParameter",
            {"Name": PARAMETER, "WithDecryption": True},
        )
        self.reads += 1
        if self.value is None:
            raise NoAnswer("no answer: TimeoutError")
        return {"Parameter": {"Value": self.value}}

    def close(self) -> None:
        """Do nothing, because nothing is open."""


def test_the_answers_of_a_named_stream_carry_a_token(clock: FakeClock) -> None:
    """A start, a repeat and a heartbeat have a token until the lease ends, under the first key."""
    api = Api(clock=clock, PLAYBACK_KEY=f"{KEY},{OLD}")
    keys = parse_keys(KEY)
    for answer in (api.start("viewer-1", streamId="tv"), api.start("viewer-1", streamId="tv")):
        claims = verify(answer.body["playbackToken"], keys, clock.now())
        assert (claims.kid, claims.stream_id, claims.path_prefix) == ("2026-a", "tv", None)
        assert claims.expires_at == clock.now() + answer.body["expiresInSeconds"]
    clock.advance(30)
    renewed = api.heartbeat("viewer-1", streamId="tv")
    assert verify(renewed.body["playbackToken"], keys, clock.now() + 89).expires_at == clock.now() + 90
    assert renewed.body["playbackToken"] == TokenMint(keys[0]).mint(
        "viewer-1", "tv", int(clock.now()) + 90, int(clock.now())
    )


def test_other_answers_carry_no_token(api: Api) -> None:
    """Without a key, an anonymous stream, an end, a list and a refusal have no token."""
    with_key = Api(PLAYBACK_KEY=KEY, MAX_STREAMS="2")
    named, anonymous = with_key.start("viewer-1", streamId="tv"), with_key.start("viewer-1")
    refused, listed = with_key.start("viewer-1", streamId="pc"), with_key.call("list")
    ended = with_key.end("viewer-1", streamId="tv")
    assert "playbackToken" in named.body
    for answer in (anonymous, refused, listed, ended, api.start("viewer-1", streamId="tv")):
        assert "playbackToken" not in json.dumps(answer.body)
        assert answer.cookies == ()


def test_a_start_above_the_token_bound_gets_a_retry_time(clock: FakeClock) -> None:
    """A 429 has the waiting time in body and header, and the held streams lose nothing."""
    api = Api(clock=clock, PLAYBACK_KEY=KEY, MAX_STREAMS="1", TOKEN_OVERLAP="1")
    for name in "ab":
        api.start("viewer-1", streamId=name)
        api.end("viewer-1", streamId=name)
        clock.advance(0.5)
    refused = api.start("viewer-1", streamId="c")
    assert_problem(refused, 429, "too_many_starts")
    assert refused.body["message"] == "Too many streams were started in a short time. Try again in 91 s."
    assert (refused.body["retryAfterSeconds"], refused.headers["retry-after"]) == (91, "91")
    assert (refused.body["streamCount"], refused.body["maxStreams"]) == (0, 1)
    clock.advance(91)
    assert api.start("viewer-1", streamId="c").status == 200


def test_shadow_mode_logs_which_limit_was_not_enforced(capsys: pytest.CaptureFixture[str]) -> None:
    """The event of a start that would be refused has the code of the refusal, other starts have none."""
    api = Api(ENFORCEMENT="shadow", PLAYBACK_KEY=KEY, MAX_STREAMS="1", TOKEN_OVERLAP="1")
    for name in "ab":
        api.start("viewer-1", streamId=name)
        api.end("viewer-1", streamId=name)
    assert [api.start("viewer-1", streamId=name).status for name in "cd"] == [200, 200]
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event.get("code") for event in events] == [None] * 4 + ["too_many_starts", "limit_reached"]


def test_a_plain_video_element_gets_a_cookie() -> None:
    """The cookie is for the parent domain of API and CDN, ends with the token, and is hidden from scripts."""
    api = Api(PLAYBACK_KEY=KEY, PLAYBACK_COOKIE_DOMAIN="example.com")
    started = api.start("viewer-1", streamId="tv")
    token = started.body["playbackToken"]
    assert started.cookies == (
        f"CAT={token}; Domain=example.com; Path=/; Max-Age=90; Secure; HttpOnly; SameSite=None",
    )
    assert api.heartbeat("viewer-1", streamId="tv").cookies == started.cookies
    assert api.end("viewer-1", streamId="tv").cookies == ()


def test_a_backend_can_bind_a_stream_to_a_path() -> None:
    """The token opens that path only; a repeat without a path keeps it, one with another changes it."""
    signed = {"requestContext": SIGNED}
    api = Api(AUTH="iam", PLAYBACK_KEY=KEY)

    def prefix(**fields: str) -> str | None:
        answer = api.call("start", body=json.dumps({"userId": "1", "streamId": "tv", **fields}), **signed)
        assert answer.status == 200
        return verify(answer.body["playbackToken"], parse_keys(KEY), 0).path_prefix

    assert prefix(pathPrefix="/film-1/") == "/film-1/"
    assert prefix() == "/film-1/"
    assert prefix(pathPrefix="/film-2/hd/") == "/film-2/hd/"


@pytest.mark.parametrize(
    ("paths", "expected"), [({"GROUP_PATHS": "/uhd/=uhd"}, ("hdr", "uhd")), ({}, ())], ids=["tied", "untied"]
)
def test_a_token_names_groups_only_if_paths_are_tied_to_them(paths: Any, expected: tuple[str, ...]) -> None:
    """The token names the lease's groups if paths are tied to groups, and none otherwise."""
    api = Api(PLAYBACK_KEY=KEY, GROUP_LIMITS="uhd=1", GROUP_LABELS="hdr", **paths)
    answers = [
        api.start("viewer-1", streamId="tv", groups=["uhd", "hdr"]),
        api.heartbeat("viewer-1", streamId="tv"),
    ]
    for answer in answers:
        assert verify(answer.body["playbackToken"], parse_keys(KEY), 0).groups == expected
    plain = api.start("viewer-1", streamId="pc").body["playbackToken"]
    assert verify(plain, parse_keys(KEY), 0).groups == ()


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"AUTH": "none", "PLAYBACK_KEY": KEY}, "is for signed requests of a backend only"),
        ({"AUTH": "iam"}, "has no effect without a playback key"),
    ],
)
def test_a_path_without_effect_is_refused(variables: Any, reason: str) -> None:
    """A path is refused from a player, and without tokens, where it would bind nothing."""
    repository = RecordingRepository()
    signed = {"requestContext": {"authorizer": {"iam": {"userArn": "arn:aws:iam::1:role/backend"}}}}
    body = json.dumps({"userId": "1", "streamId": "tv", "pathPrefix": "/film/"})
    answer = Api(repository, **variables).call("start", body=body, **signed)
    assert_problem(answer, 400, "invalid_request")
    assert answer.body["errors"] == [{"field": "pathPrefix", "detail": f"pathPrefix {reason}"}]
    assert repository.writes == []


def test_keys_are_read_again_every_five_minutes(clock: FakeClock) -> None:
    """Keys are read once in five minutes, and no request waits before that; a new key signs afterwards."""
    ssm = FakeParameter(OLD)
    api = Api(clock=clock, ssm=ssm, PLAYBACK_KEY_PARAMETER=PARAMETER)

    def kid() -> str:
        token = api.heartbeat("viewer-1", streamId="tv").body["playbackToken"]
        return verify(token, parse_keys(f"{KEY},{OLD}"), clock.now()).kid

    api.start("viewer-1", streamId="tv")
    ssm.value = f"{KEY},{OLD}"
    clock.advance(60)
    assert (kid(), ssm.reads) == ("2025-b", 1)
    clock.advance(29)
    kid()
    clock.advance(89)
    kid()
    clock.advance(89)
    kid()
    clock.advance(32.9)
    assert (kid(), ssm.reads) == ("2025-b", 1)
    clock.advance(0.1)
    assert (kid(), ssm.reads) == ("2026-a", 2)


def test_known_keys_serve_through_an_outage_of_15_minutes(
    clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Known keys serve for 15 minutes; after that starts are 503 and heartbeats extend without a token."""
    ssm = FakeParameter(KEY)
    repository = RecordingRepository()
    api = Api(repository, clock, ssm, PLAYBACK_KEY_PARAMETER=PARAMETER)
    api.start("viewer-1", streamId="tv")
    ssm.value = None
    for _ in range(10):
        clock.advance(90)
        assert "playbackToken" in api.heartbeat("viewer-1", streamId="tv").body
    tried = ssm.reads
    api.heartbeat("viewer-1", streamId="tv")
    assert ssm.reads == tried, "known keys are tried again after ten seconds only"
    clock.advance(0.1)
    extended = api.heartbeat("viewer-1", streamId="tv")
    assert (extended.status, "playbackToken" in extended.body) == (200, False)
    written = len(repository.writes)
    refused = api.start("viewer-1", streamId="pc")
    assert_problem(refused, 503, "tokens_unavailable")
    assert refused.headers["retry-after"] == "1"
    assert len(repository.writes) == written
    assert api.start("viewer-1").status == 200, "an anonymous stream needs no token"
    lines = capsys.readouterr().out.splitlines()
    assert any(json.loads(line)["event"] == "playback_key_unavailable" for line in lines)
    assert leaks(lines) == []


@pytest.mark.parametrize("value", [None, "s3cret", f"{KEY},{KEY}"])
def test_a_cold_start_without_keys_admits_no_stream(
    value: str | None, clock: FakeClock, capsys: pytest.CaptureFixture[str]
) -> None:
    """With unavailable or malformed keys starts fail, keys are retried after a second and never logged."""
    ssm = FakeParameter(value)
    api = Api(clock=clock, ssm=ssm, PLAYBACK_KEY_PARAMETER=PARAMETER)
    for _ in range(3):
        assert api.start("viewer-1", streamId="tv").status == 503
    assert ssm.reads == 1
    shown = capsys.readouterr().out
    assert "s3cret" not in shown
    assert "kkk" not in shown
    ssm.value = KEY
    clock.advance(0.9)
    assert api.start("viewer-1", streamId="tv").status == 503
    clock.advance(0.1)
    assert api.start("viewer-1", streamId="tv").status == 200


@pytest.mark.parametrize(("open_tokens", "has_token"), [("false", False), ("true", True)])
def test_an_unverified_start_has_a_token_if_configured(
    open_tokens: str,
    has_token: bool,  # noqa: FBT001 - a case
    clock: FakeClock,
) -> None:
    """An unverified start has a token in open mode while the store is unavailable."""
    store = FailingRepository(StoreUnavailable())
    api = Api(store, clock, PLAYBACK_KEY=KEY, ON_STORE_FAILURE="open", OPEN_TOKENS=open_tokens)
    answer = api.start("viewer-1", streamId="tv")
    assert (answer.status, answer.body["verified"]) == (200, False)
    assert ("playbackToken" in answer.body) is has_token


def test_the_token_of_an_unverified_heartbeat_has_no_path_and_no_groups(clock: FakeClock) -> None:
    """The token of an unverified heartbeat has neither, as the stream's path and groups cannot be read."""
    settings: dict[str, Any] = {"AUTH": "iam", "ON_STORE_FAILURE": "open", "OPEN_TOKENS": "true"}
    settings |= {"PLAYBACK_KEY": KEY, "GROUP_LIMITS": "uhd=1", "GROUP_PATHS": "/uhd/=uhd"}

    def bound(api: Api, route: str, **fields: Any) -> tuple[str | None, tuple[str, ...]]:
        body = json.dumps({"userId": "viewer-1", "streamId": "tv", **fields})
        answer = api.call(route, body=body, requestContext=SIGNED)
        claims = verify(answer.body["playbackToken"], parse_keys(KEY), clock.now())
        return claims.path_prefix, claims.groups

    reached = Api(RecordingRepository(), clock, **settings)
    assert bound(reached, "start", pathPrefix="/film-1/", groups=["uhd"]) == ("/film-1/", ("uhd",))
    assert bound(reached, "heartbeat") == ("/film-1/", ("uhd",))
    outage = Api(FailingRepository(StoreUnavailable()), clock, **settings)
    assert bound(outage, "heartbeat") == (None, ())


def test_no_event_shows_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    """No event contains a token, because a CDN accepts it as a login."""
    api = Api(PLAYBACK_KEY=KEY)
    token = api.start("viewer-1", streamId="tv").body["playbackToken"]
    lines = capsys.readouterr().out.splitlines()
    assert leaks(lines) == []
    assert leaks([f'{{"token": "{token}"}}']) != [], "the collector would not notice"
