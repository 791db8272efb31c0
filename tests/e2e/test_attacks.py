"""Attacks on a service that asks for tokens, and on one that asks for signatures, over HTTP."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dev.emulator import REGION, start_emulator
from dev.issuer import AUDIENCE, KEY_ID, Issuer, new_key, sign, unsigned
from dev.smoke import USER, SmokeError, signature, smoke
from tests.e2e.deployed import need_the_tools, stage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ME: Final = "viewer-1"
VICTIM: Final = "viewer-2"
START: Final = "/stream/start"


@dataclass(frozen=True)
class World:
    """One deployed API, and what an attacker of it can get hold of."""

    url: str
    issuer: Issuer
    account: Callable[[str], Any]
    backend: Credentials
    keys: dict[str, Credentials] = field(default_factory=dict)

    @property
    def api_id(self) -> str:
        """The API's name in ARNs."""
        return self.url.rpartition("/")[2]

    def send(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        """One request; without a body it is a GET."""
        sent = {"content-type": "application/json", **headers}
        method = "GET" if body is None else "POST"
        return httpx.request(method, self.url + path, content=body, headers=sent, timeout=30)

    def signed(self, path: str, body: bytes | None, by: Credentials, *, at: str = "") -> dict[str, str]:
        """The headers of a signature (of now, or of this time)."""
        request = AWSRequest("GET" if body is None else "POST", self.url + path, {}, body)
        signer = SigV4Auth(by, "execute-api", REGION)
        if not at:
            signer.add_auth(request)
            return dict(request.headers)
        request.context["timestamp"] = at
        request.headers["X-Amz-Date"] = at
        canonical = signer.canonical_request(request)
        to_sign = signer.string_to_sign(request, canonical)
        signer._inject_signature_to_request(request, signer.signature(to_sign, request))  # noqa: SLF001
        return dict(request.headers)

    def user_with(self, name: str, resource: str | None) -> Credentials:
        """A user of the account who may invoke this, or nothing."""
        iam = self.account("iam")
        iam.create_user(UserName=name)
        if resource:
            allow = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
            iam.put_user_policy(UserName=name, PolicyName="invoke", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def arn(self, what: str) -> str:
        """What a policy calls a part of an API."""
        return f"arn:aws:execute-api:{REGION}:000000000000:{what}"


@dataclass(frozen=True)
class Attack:
    """What is tried, and how it must end."""

    name: str
    send: Callable[[World], httpx.Response]
    status: int
    code: str | None = None
    """Of our own answer; None where API Gateway answers."""


def json_of(**fields: object) -> bytes:
    """A body."""
    return json.dumps(fields).encode()


def bearing(token: Callable[[World], str], name: str, **fields: object) -> Attack:
    """A start with this token, which API Gateway must not let through."""
    return Attack(
        name,
        lambda world: world.send(START, json_of(**fields), {"authorization": f"Bearer {token(world)}"}),
        401,
    )


def claiming(name: str, code: str, subject: object = ME, **claims: object) -> Attack:
    """A start with a good token that holds these claims."""

    def send(world: World) -> httpx.Response:
        token = world.issuer.token(subject, **claims)
        return world.send(START, json_of(), {"authorization": f"Bearer {token}"})

    return Attack(name, send, 403, code)


def as_me(name: str, path: str, body: bytes | None, status: int, code: str | None, **headers: str) -> Attack:
    """A request with a good token of an ordinary viewer."""

    def send(world: World) -> httpx.Response:
        token = world.issuer.token(ME)
        return world.send(path, body, {"authorization": f"Bearer {token}", **headers})

    return Attack(name, send, status, code)


def bad_input(name: str, body: bytes, status: int = 400, code: str = "invalid_request") -> Attack:
    """A start of an ordinary viewer that breaks the contract."""
    return as_me(name, START, body, status, code)


def forged(world: World, header: dict[str, str], signature: bytes, **claims: object) -> str:
    """A token with this header and signature."""
    text = unsigned(world.issuer.claims(ME, **claims), **header)
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def of_other_key(world: World) -> str:
    """A token under our key's name, signed by another key."""
    text = unsigned(world.issuer.claims(ME), alg="RS256", kid=KEY_ID)
    return f"{text}.{base64.urlsafe_b64encode(sign(new_key(), text)).decode().rstrip('=')}"


def by_public_key(world: World) -> str:
    """A token whose secret is what everybody may know: the public key."""
    numbers = world.issuer.key.public_key().public_numbers()
    text = unsigned(world.issuer.claims(ME), alg="HS256", kid=KEY_ID)
    secret = numbers.n.to_bytes(256, "big")
    signature = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def with_another_subject(world: World) -> str:
    """A good token of ours, its claims exchanged for the victim's."""
    header, _, signature = world.issuer.token(ME).split(".")
    claims = unsigned(world.issuer.claims(VICTIM)).partition(".")[2]
    return f"{header}.{claims}.{signature}"


def with_headers(name: str, headers: Callable[[World], dict[str, str]], path: str = START) -> Attack:
    """A start with these headers in place of a token."""
    return Attack(name, lambda world: world.send(path, json_of(), headers(world)), 401)


TOKENS: Final = (
    with_headers("no token", lambda _: {}),
    with_headers("an empty token", lambda _: {"authorization": "Bearer"}),
    with_headers("a password", lambda _: {"authorization": "Basic dmlld2VyLTE6cHc="}),
    with_headers("a token in another header", lambda w: {"x-access-token": w.issuer.token(ME)}),
    with_headers("a token in a cookie", lambda w: {"cookie": f"authorization={w.issuer.token(ME)}"}),
    with_headers(
        "a signature where tokens are asked for",
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
    claiming("a limit below nought", "invalid_limit", maxStreams=-1),
    claiming("half a stream", "invalid_limit", maxStreams=2.5),
    claiming("a limit in words", "invalid_limit", maxStreams="unlimited"),
    claiming("a limit of truth", "invalid_limit", maxStreams=True),
    claiming("a list of limits", "invalid_limit", maxStreams=[3]),
    claiming("an empty limit", "invalid_limit", maxStreams=""),
)
OTHERS: Final = (
    as_me("start for another", START, json_of(userId=VICTIM), 403, "other_user"),
    as_me("start for another, named", START, json_of(userId=VICTIM, streamId="tv"), 403, "other_user"),
    as_me(
        "keep another's stream", "/stream/heartbeat", json_of(userId=VICTIM, streamId="tv"), 403, "other_user"
    ),
    as_me("end another's stream", "/stream/end", json_of(userId=VICTIM, streamId="tv"), 403, "other_user"),
    as_me("end another's anonymous stream", "/stream/end", json_of(userId=VICTIM), 403, "other_user"),
    as_me("see another's streams", f"/stream?userId={VICTIM}", None, 403, "other_user"),
    as_me("oneself in capitals", START, json_of(userId=ME.upper()), 403, "other_user"),
    as_me("oneself and another", START, b'{"userId":"viewer-1","userId":"viewer-2"}', 400, "invalid_request"),
    as_me(
        "oneself and another, in a query",
        f"/stream?userId={ME}&userId={VICTIM}",
        None,
        400,
        "invalid_request",
    ),
    as_me("a limit of one's own", START, json_of(maxStreams=20), 400, "invalid_request"),
    as_me("a limit of one's own, in a query", "/stream?maxStreams=20", None, 400, "invalid_request"),
)
INPUTS: Final = (
    bad_input("an expression for a stream", json_of(streamId="x = :one OR attribute_exists(y)")),
    bad_input("a placeholder for a stream", json_of(streamId="#s")),
    bad_input("a path for a stream", json_of(streamId="a[0]")),
    bad_input("a line break for a stream", json_of(streamId="a\nb")),
    bad_input("a stream's name that is too long", json_of(streamId="x" * 65)),
    bad_input("an expression for the replaced one", json_of(streamId="a", replaces="b REMOVE streamCount")),
    bad_input("a typed value for a user", json_of(userId={"S": ME})),
    bad_input("a list of users", json_of(userId=[ME])),
    bad_input("a zero byte in a user", json_of(userId="viewer-1\0")),
    bad_input("a user that is too long", json_of(userId="x" * 129)),
    bad_input("a smuggled count", json_of(streamCount=-20)),
    bad_input("a smuggled expiry", json_of(streamId="tv", expiresAt=2**33)),
    bad_input("a smuggled prototype", json_of(__proto__={"maxStreams": 20})),
    bad_input("a device that is too long", json_of(streamId="tv", device="x" * 65)),
    bad_input("a body that is too long", json_of(streamId="x" * 5000), 413, "body_too_large"),
    bad_input("a deep body", b'{"userId":' + b"[" * 1900 + b"]" * 1900 + b"}"),
    bad_input("no JSON", b"userId=viewer-1"),
    bad_input("no number", b'{"userId":NaN}'),
    as_me(
        "no text",
        START,
        b'{"userId":"\xff"}',
        400,
        "invalid_request",
        **{"content-type": "application/octet-stream"},
    ),
    as_me("a key with a space", START, json_of(), 400, "invalid_request", **{"idempotency-key": "a b"}),
    as_me("a route that is not there", "/stream/delete", json_of(), 404, None),
)


def signing(
    name: str, how: Callable[[World], dict[str, str]], body: bytes = b'{"userId":"viewer-2"}'
) -> Attack:
    """A start with these headers, which API Gateway must not let through."""
    return Attack(name, lambda world: world.send(START, body, how(world)), 403)


def by_backend(name: str, path: str, body: bytes | None) -> Attack:
    """A request that a backend signed, and that breaks the contract."""
    return Attack(name, lambda w: w.send(path, body, w.signed(path, body, w.backend)), 400, "invalid_request")


BODY: Final = b'{"userId":"viewer-2"}'
SIGNATURES: Final = (
    signing("no signature", lambda _: {}),
    Attack(
        "a token where signatures are asked for",
        lambda w: w.send(START, BODY, {"authorization": f"Bearer {w.issuer.token(ME)}"}),
        403,
        "not_allowed",  # the emulator lets it through, and the function does not; AWS refuses it first
    ),
    signing("a wrong secret", lambda w: w.signed(START, BODY, Credentials(w.backend.access_key, "wrong"))),
    signing(
        "a key that is nobody's", lambda w: w.signed(START, BODY, Credentials("AKIAIOSFODNN7EXAMPLE", "x"))
    ),
    signing(
        "another body beneath the signature", lambda w: w.signed(START, b'{"userId":"viewer-1"}', w.backend)
    ),
    signing("another route's signature", lambda w: w.signed("/stream/end", BODY, w.backend)),
    signing("a signature of last year", lambda w: w.signed(START, BODY, w.backend, at="20200101T000000Z")),
    signing(
        "a user of the account who may nothing", lambda w: w.signed(START, BODY, w.user_with("none", None))
    ),
    signing(
        "a user who may call another API",
        lambda w: w.signed(START, BODY, w.user_with("other", w.arn("abcdef12/*"))),
    ),
    signing(
        "a user who may only list",
        lambda w: w.signed(START, BODY, w.user_with("lists", w.arn(f"{w.api_id}/$default/GET/*"))),
    ),
    by_backend("a limit above the ceiling, signed", START, json_of(userId=VICTIM, maxStreams=21)),
    by_backend("a limit below nought, signed", START, json_of(userId=VICTIM, maxStreams=-1)),
    by_backend("a limit in words, signed", START, json_of(userId=VICTIM, maxStreams="20")),
    by_backend("nobody, signed", START, json_of()),
    by_backend("a user with a line break, signed", START, json_of(userId="viewer-2\n")),
)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """Both services, on one emulator that checks signatures and policies."""
    need_the_tools()
    directory = tmp_path_factory.mktemp("attacked")
    with start_emulator(enforce_iam=True) as emulator:

        def account(service: str) -> Any:
            return boto3.client(
                service,
                endpoint_url=emulator.endpoint_url,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )

        issuer = Issuer.at(emulator.endpoint_url, directory / "issuer.pem")
        issuer.publish(account("s3"))
        tokens = {"auth": "jwt", "jwt_issuer": issuer.url, "jwt_audience": json.dumps([AUDIENCE])}
        root = Credentials("test", "test")
        jwt = World(stage(emulator, directory / "jwt", **tokens)[1], issuer, account, root)
        iam = World(stage(emulator, directory / "iam", auth="iam")[1], issuer, account, root)
        backend = iam.user_with("backend", iam.arn(f"{iam.api_id}/$default/*"))
        yield {"jwt": jwt, "iam": World(iam.url, issuer, account, backend)}


def test_who_may_call_can(worlds: dict[str, World]) -> None:
    """A token starts its subject's stream under its limit, a signature anybody's under the one it names."""
    jwt, iam = worlds["jwt"], worlds["iam"]
    token = {"authorization": f"Bearer {jwt.issuer.token('friend', maxStreams=7)}"}
    started = jwt.send(START, json_of(streamId="tv"), token)
    assert (started.status_code, started.json()["maxStreams"]) == (200, 7)
    assert jwt.send("/stream", None, token).json()["streamCount"] == 1

    body = json_of(userId="friend", streamId="tv", maxStreams=1)
    assert iam.send(START, body, iam.signed(START, body, iam.backend)).status_code == 200
    path = "/stream?userId=friend&maxStreams=9"
    listed = iam.send(path, None, iam.signed(path, None, iam.backend)).json()
    assert (listed["streamCount"], listed["maxStreams"]) == (1, 9)


def test_the_smoke_test_says_who_it_is(worlds: dict[str, World]) -> None:
    """With a token or a signature it passes, and leaves its user's streams as they were; without it fails."""
    jwt, iam = worlds["jwt"], worlds["iam"]
    token = jwt.issuer.token("friend")

    def streams() -> list[str]:
        listed = jwt.send("/stream", None, {"authorization": f"Bearer {token}"}).json()
        return [stream["streamId"] for stream in listed["streams"]]

    before = streams()
    smoke(jwt.url, token=token)

    assert streams() == before
    smoke(iam.url, sign=signature())
    for world, status in ((jwt, 401), (iam, 403)):
        with pytest.raises(SmokeError, match=f"/stream/start answered {status}"):
            smoke(world.url)


@pytest.mark.parametrize(
    ("auth", "attack"),
    [
        *(("jwt", attack) for attack in (*TOKENS, *CLAIMS, *OTHERS, *INPUTS)),
        *(("iam", attack) for attack in SIGNATURES),
    ],
    ids=lambda value: value.name if isinstance(value, Attack) else value,
)
def test_an_attack_is_refused(auth: str, attack: Attack, worlds: dict[str, World]) -> None:
    """Each attack ends with the status, and where the service answers with the code, that is its own."""
    answer = attack.send(worlds[auth])

    assert answer.status_code == attack.status, answer.text
    assert answer.json().get("code") == attack.code


def test_no_attack_left_a_trace(worlds: dict[str, World]) -> None:
    """Runs last: neither the attacker nor the victim has an item in any table."""
    store = worlds["jwt"].account("dynamodb")
    users = {
        item["userId"]["S"]
        for table in store.list_tables()["TableNames"]
        for item in store.scan(TableName=table)["Items"]
    }
    assert users == {"friend", USER}
