"""The table of attacks: requests over HTTP to a deployed service, and how each must end."""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
from botocore.credentials import Credentials

from dev.emulators.issuer import KEY_ID, new_key, sign, unsigned
from tests.e2e.support.target import ME, SCRIPT, START, VICTIM, World
from tests.edge.tokens import base64url


@dataclass(frozen=True)
class Attack:
    """A request that an attacker tries, and how it must end."""

    name: str
    send: Callable[[World], httpx.Response]
    status: int
    code: str | None = None
    """The code of our own answer; None where API Gateway answers."""


def json_of(**fields: object) -> bytes:
    """Return a body."""
    return json.dumps(fields).encode()


def bearing(token: Callable[[World], str], name: str, **fields: object) -> Attack:
    """Return a start with this token, which API Gateway must reject."""
    return Attack(
        name,
        lambda world: world.send(START, json_of(**fields), {"authorization": f"Bearer {token(world)}"}),
        401,
    )


def claiming(name: str, code: str, subject: object = ME, **claims: object) -> Attack:
    """Return a start with a good token that holds these claims."""

    def send(world: World) -> httpx.Response:
        token = world.issuer.token(subject, **claims)
        return world.send(START, json_of(), {"authorization": f"Bearer {token}"})

    return Attack(name, send, 403, code)


def as_me(name: str, path: str, body: bytes | None, status: int, code: str | None, **headers: str) -> Attack:
    """Return an authenticated request of an ordinary viewer, or of a backend for one."""
    return Attack(name, lambda world: world.send_as_me(path, body, headers), status, code)


def bad_input(name: str, body: bytes, status: int = 400, code: str = "invalid_request") -> Attack:
    """Return a start of an ordinary viewer that breaks the contract."""
    return as_me(name, START, body, status, code)


def bad_field(name: str, **fields: object) -> Attack:
    """Return a start that would be good except for these fields."""
    return bad_input(name, json_of(**{"userId": ME, **fields}))


def forged(world: World, header: dict[str, str], signature: bytes, **claims: object) -> str:
    """Return a token with this header and signature."""
    text = unsigned(world.issuer.claims(ME, **claims), **header)
    return f"{text}.{base64url(signature)}"


def of_other_key(world: World) -> str:
    """Return a token under our key's name, signed by another key."""
    text = unsigned(world.issuer.claims(ME), alg="RS256", kid=KEY_ID)
    return f"{text}.{base64url(sign(new_key(), text))}"


def by_public_key(world: World) -> str:
    """Return a token whose secret is the public key, which everyone may know."""
    numbers = world.issuer.key.public_key().public_numbers()
    text = unsigned(world.issuer.claims(ME), alg="HS256", kid=KEY_ID)
    secret = numbers.n.to_bytes(256, "big")
    signature = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{base64url(signature)}"


def with_another_subject(world: World) -> str:
    """Return a good token of ours, its claims exchanged for the victim's."""
    header, _, signature = world.issuer.token(ME).split(".")
    claims = unsigned(world.issuer.claims(VICTIM)).partition(".")[2]
    return f"{header}.{claims}.{signature}"


def with_headers(name: str, headers: Callable[[World], dict[str, str]], path: str = START) -> Attack:
    """Return a start with these headers in place of a token."""
    return Attack(name, lambda world: world.send(path, json_of(), headers(world)), 401)


TOKENS: Final = (
    with_headers("no token", lambda _: {}),
    with_headers("an empty token", lambda _: {"authorization": "Bearer"}),
    with_headers("a password", lambda _: {"authorization": "Basic dmlld2VyLTE6cHc="}),
    with_headers("a token in another header", lambda w: {"x-access-token": w.issuer.token(ME)}),
    with_headers("a token in a cookie", lambda w: {"cookie": f"authorization={w.issuer.token(ME)}"}),
    with_headers(
        "a signature where tokens are required",
        lambda w: w.signed(START, json_of(), Credentials("test", "test")),
    ),
    bearing(lambda _: "viewer-1", "a token that is none"),
    bearing(lambda _: "e30.e30.e30", "a token without claims"),
    bearing(lambda w: forged(w, {"alg": "none"}, b""), "alg: none"),
    bearing(lambda w: forged(w, {"alg": "none", "kid": KEY_ID}, b""), "alg: none with the key's name"),
    bearing(lambda w: forged(w, {"alg": "RS256", "kid": KEY_ID}, b"x" * 256), "a made-up signature"),
    bearing(lambda w: forged(w, {"alg": "RS256", "kid": KEY_ID}, b""), "no signature"),
    bearing(of_other_key, "another key under our key's name"),
    bearing(by_public_key, "HS256 under the public key"),
    bearing(with_another_subject, "claims exchanged beneath the signature"),
    bearing(lambda w: w.issuer.token(ME, aud="another-service"), "a token for another service"),
    bearing(lambda w: w.issuer.token(ME, aud=None), "a token for no service"),
    bearing(lambda w: w.issuer.token(ME, iss="https://evil.example"), "another issuer"),
    bearing(lambda w: w.issuer.token(ME, iss=None), "no issuer"),
    bearing(lambda w: w.issuer.token(ME, exp=1), "an expired token"),
    bearing(lambda w: w.issuer.token(ME, nbf=2**33), "a token of the future"),
)
CLAIMS: Final = (
    claiming("no subject", "invalid_subject", None),
    claiming("an empty subject", "invalid_subject", ""),
    claiming("a subject that is too long", "invalid_subject", "x" * 129),
    claiming("a subject with a line break", "invalid_subject", "viewer-1\nviewer-2"),
    claiming("a limit above the ceiling", "invalid_limit", maxStreams=21),
    claiming("a limit below zero", "invalid_limit", maxStreams=-1),
    claiming("a fractional limit", "invalid_limit", maxStreams=2.5),
    claiming("a limit in words", "invalid_limit", maxStreams="unlimited"),
    claiming("a boolean limit", "invalid_limit", maxStreams=True),
    claiming("a list of limits", "invalid_limit", maxStreams=[3]),
    claiming("an empty limit", "invalid_limit", maxStreams=""),
)
OTHERS: Final = (
    as_me("a start for another user", START, json_of(userId=VICTIM), 403, "other_user"),
    as_me("a named start for another user", START, json_of(userId=VICTIM, streamId="tv"), 403, "other_user"),
    as_me(
        "a heartbeat for another user's stream",
        "/stream/heartbeat",
        json_of(userId=VICTIM, streamId="tv"),
        403,
        "other_user",
    ),
    as_me(
        "an end of another user's stream",
        "/stream/end",
        json_of(userId=VICTIM, streamId="tv"),
        403,
        "other_user",
    ),
    as_me(
        "an end of another user's anonymous stream", "/stream/end", json_of(userId=VICTIM), 403, "other_user"
    ),
    as_me("a list of another user's streams", f"/stream?userId={VICTIM}", None, 403, "other_user"),
    as_me("the caller's own user id in capitals", START, json_of(userId=ME.upper()), 403, "other_user"),
    as_me(
        "the caller's own user id and another",
        START,
        b'{"userId":"viewer-1","userId":"viewer-2"}',
        400,
        "invalid_request",
    ),
    as_me(
        "the caller's own user id and another, in a query",
        f"/stream?userId={ME}&userId={VICTIM}",
        None,
        400,
        "invalid_request",
    ),
    as_me("a player's own limit", START, json_of(maxStreams=20), 400, "invalid_request"),
    as_me("a player's own limit, in a query", "/stream?maxStreams=20", None, 400, "invalid_request"),
    as_me("a start by GET", START, None, 404, None),
)


def with_token(name: str, path: str, fields: Callable[[str], dict[str, object]]) -> Attack:
    """Return a request of an ordinary viewer that has a playback token where none belongs."""
    return Attack(
        name,
        lambda world: world.send_as_me(path, json_of(**fields(a_token(world))), {}),
        400,
        "invalid_request",
    )


def a_token(world: World) -> str:
    """Return a playback token that the service has issued."""
    return world.playback_token(SCRIPT, streamId="tv")


PLAYBACK: Final = (
    bearing(a_token, "a playback token for a login"),
    with_headers("a playback token in its cookie", lambda w: {"cookie": f"CAT={a_token(w)}"}),
    with_token("a playback token as a stream's name", START, lambda token: {"streamId": token}),
    with_token("a playback token as a play", START, lambda token: {"streamId": "tv", "play": token}),
    with_token(
        "a heartbeat by a playback token",
        "/stream/heartbeat",
        lambda token: {"streamId": "tv", "playbackToken": token},
    ),
    Attack(
        "a playback token in a query",
        lambda w: w.send_as_me(f"/stream?CAT={a_token(w)}", None, {}),
        400,
        "invalid_request",
    ),
    as_me("a player's own path", START, json_of(streamId="tv", pathPrefix="/"), 400, "invalid_request"),
)
# In every mode.
INPUTS: Final = (
    bad_field("an expression as a stream id", streamId="x = :one OR attribute_exists(y)"),
    bad_field("a placeholder as a stream id", streamId="#s"),
    bad_field("a path as a stream id", streamId="a[0]"),
    bad_field("a line break as a stream id", streamId="a\nb"),
    bad_field("a stream id that is too long", streamId="x" * 65),
    bad_field("an expression as the replaced stream", streamId="a", replaces="b REMOVE streamCount"),
    bad_field("a typed value as a user", userId={"S": ME}),
    bad_field("a list of users", userId=[ME]),
    bad_field("a number for a user", userId=1),
    bad_field("a blank user", userId=" "),
    bad_field("a zero byte in a user", userId=f"{ME}\0"),
    bad_field("a user that is too long", userId="x" * 129),
    bad_field("half a surrogate pair for a user", userId="\ud800"),
    bad_field("a smuggled count", streamCount=-20),
    bad_field("a smuggled expiry", streamId="tv", expiresAt=2**33),
    bad_field("a smuggled prototype", __proto__={"maxStreams": 20}),
    bad_field("a smuggled role", streamId="tv", auth="none"),
    bad_field("a device that is too long", streamId="tv", device="x" * 65),
    bad_field("a device that is an object", streamId="tv", device={"M": {}}),
    bad_input("a body that is too long", json_of(userId=ME, streamId="x" * 5000), 413, "body_too_large"),
    bad_input("a deeply nested body", b'{"userId":' + b"[" * 1900 + b"]" * 1900 + b"}"),
    bad_input("a deeply nested unknown field", b'{"x":' + b'{"x":' * 600 + b"1" + b"}" * 601),
    bad_input("an endless number", b'{"userId":' + b"9" * 4000 + b"}"),
    bad_input("a list", json_of(userId=ME).join((b"[", b"]"))),
    bad_input("not JSON", b"userId=viewer-1"),
    bad_input("not a number", b'{"userId":NaN}'),
    as_me(
        "no text",
        START,
        b'{"userId":"\xff"}',
        400,
        "invalid_request",
        **{"content-type": "application/octet-stream"},
    ),
    as_me(
        "a key with a space", START, json_of(userId=ME), 400, "invalid_request", **{"idempotency-key": "a b"}
    ),
    as_me("an unknown route", "/stream/delete", json_of(userId=ME), 404, None),
)
# Without authentication no caller sets a limit either.
OPEN: Final = (
    bad_field("a player's own limit, without a login", maxStreams=20),
    as_me(
        "a player's own limit, in a query, without a login",
        f"/stream?userId={ME}&maxStreams=20",
        None,
        400,
        "invalid_request",
    ),
    as_me("a query that is not text", "/stream?userId=%c0%ae", None, 400, "invalid_request"),
    as_me("a query with a bad percent-encoding", "/stream?userId=%zz", None, 400, "invalid_request"),
    as_me("no user, without a login", START, json_of(), 400, "invalid_request"),
    as_me("a start by GET, without a login", START, None, 404, None),
)


def signing(
    name: str, how: Callable[[World], dict[str, str]], body: bytes = b'{"userId":"viewer-2"}'
) -> Attack:
    """Return a start with these headers, which API Gateway must reject."""
    return Attack(name, lambda world: world.send(START, body, how(world)), 403)


def by_backend(name: str, path: str, body: bytes | None) -> Attack:
    """Return a request that a backend signed, and that breaks the contract."""
    return as_me(name, path, body, 400, "invalid_request")


BODY: Final = b'{"userId":"viewer-2"}'
SIGNATURES: Final = (
    signing("no signature", lambda _: {}),
    Attack(
        "a token where signatures are required",
        lambda w: w.send(START, BODY, {"authorization": f"Bearer {w.issuer.token(ME)}"}),
        403,
        "not_allowed",  # the emulator lets it through, and the function refuses; AWS refuses it first
    ),
    signing("a wrong secret", lambda w: w.signed(START, BODY, Credentials(w.backend.access_key, "wrong"))),
    signing("an unknown key", lambda w: w.signed(START, BODY, Credentials("AKIAIOSFODNN7EXAMPLE", "x"))),
    signing(
        "another body beneath the signature", lambda w: w.signed(START, b'{"userId":"viewer-1"}', w.backend)
    ),
    signing("another route's signature", lambda w: w.signed("/stream/end", BODY, w.backend)),
    signing("an expired signature", lambda w: w.signed(START, BODY, w.backend, at="20200101T000000Z")),
    signing("an account user without permissions", lambda w: w.signed(START, BODY, w.user_with("none"))),
    signing(
        "a user who may call another API",
        lambda w: w.signed(START, BODY, w.user_with("other", w.arn("abcdef12/*"))),
    ),
    signing(
        "a user who may only list",
        lambda w: w.signed(START, BODY, w.user_with("lists", w.arn(f"{w.api_id}/$default/GET/*"))),
    ),
    by_backend("a limit above the ceiling, signed", START, json_of(userId=VICTIM, maxStreams=21)),
    by_backend("a limit below zero, signed", START, json_of(userId=VICTIM, maxStreams=-1)),
    by_backend("a limit in words, signed", START, json_of(userId=VICTIM, maxStreams="20")),
    by_backend("no user, signed", START, json_of()),
    by_backend("a user with a line break, signed", START, json_of(userId="viewer-2\n")),
    # The emulator checks the permission before the route, and a backend's permission names routes.
    as_me("a start by GET, signed", START, None, 403, None),
)


OPERATORS_PATH: Final = f"/operator/streams?userId={VICTIM}"


def on_operators(
    name: str,
    how: Callable[[World, str, str], dict[str, str]],
    ends: tuple[int, str | None] = (403, None),
    path: str = OPERATORS_PATH,
    methods: Sequence[str] = ("GET", "DELETE"),
) -> list[Attack]:
    """Return a call by each of these methods, with the headers that `how` makes for a path and a method."""

    def by(method: str) -> Callable[[World], httpx.Response]:
        return lambda world: world.send(path, None, how(world, path, method), method)

    return [Attack(f"{name}: {method}", by(method), *ends) for method in methods]


def with_login(world: World, *_: str) -> dict[str, str]:
    """Return the headers of the victim's own login, good for every route of players under `jwt`."""
    return {"authorization": f"Bearer {world.issuer.token(VICTIM)}"}


def with_overrides(world: World, *_: str) -> dict[str, str]:
    """Return the headers by which some servers take another method or path."""
    paths = dict.fromkeys(("x-original-url", "x-rewrite-url", "x-forwarded-prefix"), OPERATORS_PATH)
    methods = ("x-http-method-override", "x-http-method", "x-method-override")
    return {**with_login(world), **paths, **dict.fromkeys(methods, "DELETE")}


def by_user(name: str, *arns: str, documented: bool = False) -> Callable[[World, str, str], dict[str, str]]:
    """Sign by a user who may invoke these parts of the API, or what is documented for a backend."""

    def how(world: World, path: str, method: str) -> dict[str, str]:
        given = [world.arn(f"{world.api_id}/{arn}") for arn in arns]
        resources = world.documented_arns("backend") if documented else given
        user = world.user_with(f"{name}-{world.auth}-{method.lower()}", *resources)
        return world.signed(path, None, user, method=method)

    return how


def an_operator(world: World, name: str, method: str) -> Credentials:
    """Return the credentials of a user who may do what an operator may, to be misused."""
    arns = world.documented_arns("operator")
    return world.user_with(f"operator-{name}-{world.auth}-{method.lower()}", *arns)


NOT_ROUTED: Final = (404, None)
BY_FUNCTION: Final = (403, "not_allowed")
"""The emulator lets a bearer through to a route that requires a signature; AWS refuses it first."""

# On the operator's routes, in every mode.
OPERATOR: Final = (
    *on_operators("an operator without a signature", lambda *_: {}),
    *on_operators("a viewer as an operator", with_login, BY_FUNCTION),
    *on_operators("a backend as an operator", by_user("backend-op", documented=True)),
    *on_operators("an account user as an operator", by_user("stranger-op")),
    *on_operators(
        "an operator who may only list",
        by_user("half-op", "$default/GET/operator/streams"),
        methods=["DELETE"],
    ),
    *on_operators(
        "an operator with a wrong secret",
        lambda w, path, method: w.signed(
            path, None, Credentials(an_operator(w, "wrong", method).access_key, "wrong"), method=method
        ),
    ),
    *on_operators(
        "a list's signature for an end",
        lambda w, path, method: w.signed(path, None, an_operator(w, "look", method), method="GET"),
        methods=["DELETE"],
    ),
    *on_operators(
        "another method instead of an end", with_overrides, NOT_ROUTED, methods=["POST", "PUT", "PATCH"]
    ),
    *on_operators("the path in capitals", with_login, NOT_ROUTED, "/Operator/Streams?userId=1"),
    *on_operators("the path and a slash", with_login, NOT_ROUTED, "/operator/streams/?userId=1"),
    *on_operators("the path after two slashes", with_login, BY_FUNCTION, f"/{OPERATORS_PATH}"),
    *on_operators("the path, encoded", with_login, BY_FUNCTION, "/operator%2fstreams?userId=1"),
    *on_operators("below the path", with_login, NOT_ROUTED, "/operator/streams/1"),
    *on_operators(
        "the path with dot segments", with_login, NOT_ROUTED, "/stream/%2e%2e/operator/streams?userId=1"
    ),
    *on_operators("an end on a player's path", with_login, NOT_ROUTED, "/stream", methods=["DELETE"]),
)
