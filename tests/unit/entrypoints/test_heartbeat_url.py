"""Heartbeats by the heartbeat URL: a playback token stands for a login, for its stream alone."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from adapters.playback_keys import parse_keys
from adapters.playback_token import Claims, TokenMint
from domain.errors import StoreUnavailable
from testing.fakes import FailingRepository, FakeClock, RecordingRepository
from tests.edge.tokens import base64url, signed
from tests.edge.verifier import verify
from tests.unit.entrypoints.calls import Api, HttpAnswer, assert_problem, event
from tests.unit.entrypoints.test_playback_tokens import KEY, OLD, PARAMETER, FakeParameter

URL: Final = "https://abc.lambda-url.eu-central-1.on.aws/"
SETTINGS: Final[dict[str, Any]] = {"PLAYBACK_KEY": KEY, "HEARTBEAT_URL": URL}
LEASE: Final = 90
KEYS: Final = parse_keys(f"{KEY},{OLD}")


@pytest.fixture
def api(repository: RecordingRepository, clock: FakeClock) -> Api:
    """Return a service with a heartbeat URL and two keys."""
    return Api(repository, clock, PLAYBACK_KEY=f"{KEY},{OLD}", HEARTBEAT_URL=URL)


def claims_of(answer: HttpAnswer) -> Claims:
    """Return the claims of an answer's token."""
    return verify(answer.body["playbackToken"], KEYS, 0)


def session_of(answer: HttpAnswer) -> int | None:
    """Return the time until which the answer's token can be renewed."""
    return claims_of(answer).session_until


def with_login(name: str, claims: dict[str, str], **fields: Any) -> dict[str, Any]:
    """Return the event of this name as API Gateway makes it of a request with a login of these claims."""
    sent = event(name, body=json.dumps(fields))
    sent["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": "viewer-1", **claims}}}
    return sent


def test_answers_with_a_token_name_the_url_and_the_user_there(api: Api) -> None:
    """The API's answers about a named stream name the URL and the user; the URL's own do not."""
    started = api.start("viewer-1", streamId="tv")
    for answer in (started, api.heartbeat("viewer-1", streamId="tv")):
        assert (answer.body["heartbeatUrl"], answer.body["userId"]) == (URL, "viewer-1")
    others = [
        api.renew("viewer-1", streamId="tv", playbackToken=started.body["playbackToken"]),
        api.start("viewer-1"),
        api.end("viewer-1", streamId="tv"),
        api.heartbeat("viewer-1", streamId="tv"),
    ]
    assert [answer.status for answer in others] == [200, 200, 200, 410]
    assert not any({"heartbeatUrl", "userId"} & answer.body.keys() for answer in others)


def test_without_the_setting_nothing_changes(clock: FakeClock) -> None:
    """Without the setting neither answers nor tokens differ, to the byte."""
    api = Api(clock=clock, PLAYBACK_KEY=KEY)
    for answer in (api.start("viewer-1", streamId="tv"), api.heartbeat("viewer-1", streamId="tv")):
        assert "heartbeatUrl" not in answer.body
        now = int(clock.now())
        assert answer.body["playbackToken"] == TokenMint(KEYS[0]).mint("viewer-1", "tv", now + LEASE, now)


def test_a_token_extends_its_stream(api: Api, clock: FakeClock, repository: RecordingRepository) -> None:
    """A token extends its stream by one write, as the API does, and the answer has the next token."""
    started = api.start("viewer-1", streamId="tv")
    clock.advance(30)
    written = len(repository.writes)

    renewed = api.renew("viewer-1", streamId="tv", playbackToken=started.body["playbackToken"])

    assert renewed.status == 200
    assert len(repository.writes) == written + 1
    assert renewed.body["expiresInSeconds"] == LEASE
    assert claims_of(renewed).expires_at == clock.now() + LEASE
    by_api = api.heartbeat("viewer-1", streamId="tv").body
    assert renewed.body.keys() == by_api.keys() - {"heartbeatUrl", "userId"}


def test_a_renewed_token_names_the_groups_of_the_lease(clock: FakeClock) -> None:
    """A renewed token has the lease's groups and path, whatever the request says."""
    signed_by = {"requestContext": {"authorizer": {"iam": {"userArn": "arn:aws:iam::1:role/backend"}}}}
    groups: dict[str, Any] = {"GROUP_LABELS": "uhd", "GROUP_PATHS": "/uhd/=uhd"}
    api = Api(clock=clock, AUTH="iam", **SETTINGS, **groups)
    body = json.dumps({"userId": "viewer-1", "streamId": "tv", "groups": ["uhd"], "pathPrefix": "/films/"})
    started = api.call("start", body=body, **signed_by)

    renewed = api.renew("viewer-1", streamId="tv", playbackToken=started.body["playbackToken"])

    assert (claims_of(renewed).groups, claims_of(renewed).path_prefix) == (("uhd",), "/films/")


def test_a_session_is_copied_and_never_extended(api: Api, clock: FakeClock) -> None:
    """Renewals by the URL keep the session, and a heartbeat by the API begins a new one."""
    answer = api.start("viewer-1", streamId="tv")
    until = session_of(answer)
    assert until == int(clock.now()) + 43_200
    for _ in range(3):
        clock.advance(60)
        answer = api.renew("viewer-1", streamId="tv", playbackToken=answer.body["playbackToken"])
        assert session_of(answer) == until
    assert session_of(api.heartbeat("viewer-1", streamId="tv")) == int(clock.now()) + 43_200


def test_a_token_is_refused_after_its_session(clock: FakeClock) -> None:
    """After its session, to the second, a token is refused although the stream is live; the API continues."""
    api = Api(clock=clock, **SETTINGS, SESSION_SECONDS="60")
    started = api.start("viewer-1", streamId="tv")
    clock.advance(59.9)
    renewed = api.renew("viewer-1", streamId="tv", playbackToken=started.body["playbackToken"])
    assert renewed.status == 200
    until = session_of(renewed)
    assert until is not None
    assert claims_of(renewed).expires_at > until, "the token's end is its lease's"
    clock.advance(0.1)
    refused = api.renew("viewer-1", streamId="tv", playbackToken=renewed.body["playbackToken"])
    assert_problem(refused, 401, "unauthenticated")
    assert api.heartbeat("viewer-1", streamId="tv").status == 200


@pytest.mark.parametrize(
    ("exp", "until"),
    [("+600", "+600"), ("+600.9", "+600"), ("+99999", "+43200"), (None, "+43200")],
)
def test_a_session_ends_with_the_login_at_the_latest(exp: str | None, until: str, clock: FakeClock) -> None:
    """In starts and in heartbeats a session ends with the login, if its end is known."""
    now = int(clock.now())
    api = Api(clock=clock, AUTH="jwt", **SETTINGS)
    claims = {} if exp is None else {"exp": str(now + float(exp))}
    for name in ("start", "heartbeat"):
        answer = api.call(name, **with_login(name, claims, streamId="tv"))
        assert session_of(answer) == now + int(until)


@pytest.mark.parametrize("exp", ["Thu Nov 26 04:28:08 UTC 2026", "", "nan", "inf", "[1]"])
def test_an_unreadable_login_expiry_begins_no_session(exp: str, clock: FakeClock) -> None:
    """An unreadable end of the login begins no session, and no answer promises a renewal."""
    api = Api(clock=clock, AUTH="jwt", **SETTINGS)
    for name in ("start", "heartbeat"):
        answer = api.call(name, **with_login(name, {"exp": exp}, streamId="tv"))
        assert answer.status == 200
        assert (session_of(answer), answer.body.get("heartbeatUrl")) == (None, None)
    refused = api.renew("viewer-1", streamId="tv", playbackToken=answer.body["playbackToken"])
    assert_problem(refused, 401, "unauthenticated")


@pytest.mark.parametrize("variables", [{"PLAYBACK_KEY": KEY}, SETTINGS])
def test_a_blocked_users_heartbeat_gets_no_token(variables: Any) -> None:
    """A blocked user's lease is extended without a token; no other limit, valid or not, changes anything."""
    api = Api(AUTH="jwt", **variables)
    api.call("start", **with_login("start", {"maxStreams": "1"}, streamId="tv"))
    for limit, has_token in (("0", False), ("1", True), ("x", True)):
        answer = api.call("heartbeat", **with_login("heartbeat", {"maxStreams": limit}, streamId="tv"))
        assert (answer.status, "playbackToken" in answer.body) == (200, has_token)
        assert ("heartbeatUrl" in answer.body) is (has_token and variables is SETTINGS)


Forge = Callable[[dict[str, Any], str], dict[str, Any]]


def _other_user(body: dict[str, Any], _: str) -> dict[str, Any]:
    return body | {"userId": "viewer-2"}


def _other_stream(body: dict[str, Any], _: str) -> dict[str, Any]:
    return body | {"streamId": "pc"}


def _cut(body: dict[str, Any], token: str) -> dict[str, Any]:
    return body | {"playbackToken": token[:-4]}


def _text(text: str) -> Forge:
    return lambda body, _: body | {"playbackToken": text}


def _foreign(body: dict[str, Any], _: str) -> dict[str, Any]:
    foreign = TokenMint(parse_keys(f"2026-a:{'f' * 43}")[0])
    return body | {"playbackToken": foreign.mint("viewer-1", "tv", 2**33, 0, session_until=2**33)}


def _other_claims(body: dict[str, Any], _: str) -> dict[str, Any]:
    """Return a genuine key's signature over other claims than a token's."""
    return body | {"playbackToken": signed({1: "another", -65538: 2**33}, KEYS[0])}


def _nested(body: dict[str, Any], _: str) -> dict[str, Any]:
    content = bytes([0xD8, 0x3D, 0xD1, *[0x81] * 900])
    return body | {"playbackToken": base64url(content)}


FORGED: Final[dict[str, Forge]] = {
    "another user": _other_user,
    "another stream": _other_stream,
    "cut": _cut,
    "empty": _text(""),
    "no base64url": _text("+/="),
    "one byte": _text("AA"),
    "not ASCII": _text("é"),
    "half a character": _text("\ud800"),
    "longer than a token": _text("A" * 3000),
    "a foreign key": _foreign,
    "other claims": _other_claims,
    "deeply nested": _nested,
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_any_other_text_is_a_401(
    forge: Forge, api: Api, repository: RecordingRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any other text is a 401 without a call to the store, and its event has neither user nor text."""
    token = api.start("viewer-1", streamId="tv").body["playbackToken"]
    api.start("viewer-2", streamId="pc")
    written = len(repository.writes)
    capsys.readouterr()
    body = forge({"userId": "viewer-1", "streamId": "tv", "playbackToken": token}, token)

    refused = api.call("renewal", body=json.dumps(body))

    assert_problem(refused, 401, "unauthenticated")
    assert len(repository.writes) == written
    logged = json.loads(capsys.readouterr().out)
    assert (logged["level"], logged["outcome"], logged["failed"], logged["store_calls"]) == (
        "info",
        "denied",
        0,
        0,
    )
    assert "user" not in logged


def test_a_token_with_any_changed_byte_is_refused(api: Api) -> None:
    """A token with any character changed is refused."""
    token = api.start("viewer-1", streamId="tv").body["playbackToken"]
    assert api.renew("viewer-1", streamId="tv", playbackToken=token).status == 200
    for place in range(len(token) - 1):  # the last character has bits without a meaning
        changed = f"{token[:place]}{'A' if token[place] != 'A' else 'B'}{token[place + 1 :]}"
        assert api.renew("viewer-1", streamId="tv", playbackToken=changed).status == 401, place


@pytest.mark.parametrize(("seconds", "status"), [(LEASE, 200), (LEASE + 1, 401)])
def test_a_token_is_accepted_up_to_a_lease_after_its_end(
    seconds: int, status: int, api: Api, clock: FakeClock, repository: RecordingRepository
) -> None:
    """A token is accepted up to one lease after its expiry, and later refused without a write."""
    token = api.start("viewer-1", streamId="tv").body["playbackToken"]
    clock.advance(LEASE + seconds)
    written = len(repository.writes)
    assert api.renew("viewer-1", streamId="tv", playbackToken=token).status == status
    assert len(repository.writes) == written + (status == 200)


def test_a_token_outlives_a_rotation_of_keys(clock: FakeClock) -> None:
    """A token under the previous key is renewed, and the next one is signed by the first key."""
    repository = RecordingRepository()
    before = Api(repository, clock, PLAYBACK_KEY=OLD, HEARTBEAT_URL=URL)
    token = before.start("viewer-1", streamId="tv").body["playbackToken"]
    after = Api(repository, clock, PLAYBACK_KEY=f"{KEY},{OLD}", HEARTBEAT_URL=URL)
    renewed = after.renew("viewer-1", streamId="tv", playbackToken=token)
    assert claims_of(renewed).kid == "2026-a"
    assert after.renew("viewer-1", streamId="tv", playbackToken=renewed.body["playbackToken"]).status == 200
    forgotten = Api(repository, clock, PLAYBACK_KEY=KEY, HEARTBEAT_URL=URL)
    assert forgotten.renew("viewer-1", streamId="tv", playbackToken=token).status == 401


def test_keys_are_read_from_the_parameter(clock: FakeClock, repository: RecordingRepository) -> None:
    """The URL's function reads the keys first; without them it makes no other call and answers 503."""
    ssm = FakeParameter(KEY)
    api = Api(repository, clock, ssm, PLAYBACK_KEY_PARAMETER=PARAMETER, HEARTBEAT_URL=URL)
    token = api.start("viewer-1", streamId="tv").body["playbackToken"]
    written = len(repository.writes)
    cold = Api(repository, clock, FakeParameter(None), PLAYBACK_KEY_PARAMETER=PARAMETER, HEARTBEAT_URL=URL)
    assert_problem(cold.renew("viewer-1", streamId="tv", playbackToken=token), 503, "tokens_unavailable")
    assert len(repository.writes) == written
    warm = Api(repository, clock, FakeParameter(KEY), PLAYBACK_KEY_PARAMETER=PARAMETER, HEARTBEAT_URL=URL)
    assert warm.renew("viewer-1", streamId="tv", playbackToken=token).status == 200


def test_without_a_key_nothing_is_renewed(repository: RecordingRepository) -> None:
    """Without a key a function that was deployed by mistake refuses every caller."""
    refused = Api(repository).renew("viewer-1", streamId="tv", playbackToken="AA")
    assert_problem(refused, 401, "unauthenticated")
    assert repository.writes == []


def test_an_ended_or_other_stream_is_gone(api: Api) -> None:
    """After an end, and for another page load, the answer is a 410, as by the API."""
    token = api.start("viewer-1", streamId="tv", play="a").body["playbackToken"]
    assert_problem(api.renew("viewer-1", streamId="tv", play="b", playbackToken=token), 410, "stream_gone")
    api.end("viewer-1", streamId="tv")
    assert_problem(api.renew("viewer-1", streamId="tv", play="a", playbackToken=token), 410, "stream_gone")


@pytest.mark.parametrize(("mode", "status"), [("closed", 503), ("open", 200)])
def test_in_an_outage_it_answers_like_the_api(mode: str, status: int, clock: FakeClock) -> None:
    """With the store unavailable the API's setting applies, but only for the holder of a token."""
    token = Api(clock=clock, **SETTINGS).start("viewer-1", streamId="tv").body["playbackToken"]
    unavailable = Api(FailingRepository(StoreUnavailable()), clock, ON_STORE_FAILURE=mode, **SETTINGS)
    assert unavailable.renew("viewer-1", streamId="tv", playbackToken=token).status == status
    assert unavailable.renew("viewer-2", streamId="tv", playbackToken=token).status == 401


def test_an_unverified_token_keeps_its_session(clock: FakeClock) -> None:
    """Under OPEN_TOKENS an outage neither ends nor extends the session."""
    variables = {**SETTINGS, "ON_STORE_FAILURE": "open", "OPEN_TOKENS": "true"}
    unavailable = Api(FailingRepository(StoreUnavailable()), clock, **variables)
    started = unavailable.start("viewer-1", streamId="tv")
    clock.advance(30)
    renewed = unavailable.renew("viewer-1", streamId="tv", playbackToken=started.body["playbackToken"])
    assert session_of(renewed) == session_of(started) is not None


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"body": None}, 400, "invalid_request"),
        ({"body": "{"}, 400, "invalid_request"),
        ({"body": "[" * 4000}, 400, "invalid_request"),
        ({"body": '{"userId": "1", "streamId": "a"}'}, 400, "invalid_request"),
        ({"body": '{"streamId": "a", "playbackToken": "AA"}'}, 400, "invalid_request"),
        ({"body": '{"userId": "1", "streamId": "a", "playbackToken": {"a": []}}'}, 400, "invalid_request"),
        ({"body": f'{{"userId": "1", "pad": "{"x" * 4096}"}}'}, 413, "body_too_large"),
        ({"body": "A" * 4097, "isBase64Encoded": True}, 400, "invalid_request"),
        ({"body": "A" * 8196, "isBase64Encoded": True}, 413, "body_too_large"),
    ],
)
def test_any_other_body_is_refused(
    changes: Any, status: int, code: str, api: Api, repository: RecordingRepository
) -> None:
    """Any other body is refused before a token is checked, and without a call to the store."""
    assert_problem(api.call("renewal", **changes), status, code)
    assert repository.writes == []


@pytest.mark.parametrize("auth", ["jwt", "iam", "none"])
def test_nothing_in_the_event_replaces_the_token(auth: str, repository: RecordingRepository) -> None:
    """An event with a login or a signature that API Gateway has checked is refused all the same."""
    api = Api(repository, AUTH=auth, **SETTINGS)
    sent = event("renewal", routeKey="$default")
    sent["requestContext"]["authorizer"] = {
        "jwt": {"claims": {"sub": "1"}},
        "iam": {"userArn": "arn:aws:iam::1:role/backend"},
    }
    assert_problem(api.call("renewal", **sent), 401, "unauthenticated")
    assert repository.writes == []


def test_events_show_how_a_heartbeat_arrived(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The fields are the same, except for `via`, and so are the metrics."""
    token = api.start("viewer-1", streamId="tv").body["playbackToken"]
    capsys.readouterr()
    api.heartbeat("viewer-1", streamId="tv")
    by_api = json.loads(capsys.readouterr().out)
    api.renew("viewer-1", streamId="tv", playbackToken=token)
    by_url = json.loads(capsys.readouterr().out)
    assert by_url.keys() - by_api.keys() == {"via"}
    assert by_url["via"] == "url"
    assert by_url["request_id"] == event("renewal")["requestContext"]["requestId"]
    for same in ("route", "outcome", "status", "user", "requests", "refused", "failed", "store_calls"):
        assert by_url[same] == by_api[same]
    assert by_url["_aws"]["CloudWatchMetrics"] == by_api["_aws"]["CloudWatchMetrics"]
