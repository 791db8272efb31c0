"""`make playback-key` on the emulator: SSM, CloudFront's KeyValueStore, a deployed function's settings."""

import json
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from adapters.playback_keys import PlaybackKey, parse_keys
from adapters.playback_token import TokenMint
from dev import ROOT
from dev.emulators.edge import Edge, Passed, Refused
from dev.emulators.ministack import Emulator, emulated_environment, start_emulator
from tests.support.commands import outside_make, succeed
from tests.support.loopback import LoopbackServer
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

AT_ONCE: Final = """
import sys
from dev.operate import playback_key, rotation
rotation.READ_AFTER_SECONDS = rotation.EXPIRED_AFTER_SECONDS = 0
sys.exit(playback_key.main(["rotate"]))
"""
"""A rotation that waits for nothing; tests/unit/dev/test_rotation.py has the waits."""


class ByHost(BaseHTTPRequestHandler):
    """A proxy that passes requests for any host on to the emulator.

    The client of the KeyValueStore calls a host below the endpoint that it is given: one for each account.
    """

    def __init__(self, emulator: str, signatures: list[str], *arguments: Any) -> None:
        self.emulator, self.signatures = emulator, signatures
        super().__init__(*arguments)  # which handles the request

    def handle_any(self) -> None:
        """Answer as the emulator does."""
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.signatures.append(self.headers.get("authorization", ""))
        target = f"{self.emulator}{url.path}{f'?{url.query}' if url.query else ''}"
        answer = httpx.request(self.command, target, headers=dict(self.headers), content=body, timeout=30)
        self.send_response_only(answer.status_code)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - the names of the standard library

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@dataclass
class Account:
    """An emulated account with a KeyValueStore."""

    emulator: Emulator
    proxy: str
    store: str
    signatures: list[str]
    """The signature of each call that was made."""

    def client(self, service: str) -> Any:
        """Return a client of the account's root user."""
        return client_of(self.emulator.endpoint_url, service)

    def environment(self, stage: str, **variables: str) -> Mapping[str, str]:
        """Return the environment of a command about this stage."""
        proxied = {"AWS_ENDPOINT_URL": "http://aws.test", "HTTP_PROXY": self.proxy, "NO_PROXY": ""}
        return {
            **outside_make(),
            **emulated_environment(self.emulator.endpoint_url),
            **proxied,
            "STAGE": stage,
            "KVS_ARN": self.store,
            **variables,
        }

    def config(self) -> Any:
        """Return the value that the edge reads."""
        credential = "Credential=test/20261125/us-east-1/cloudfront-keyvaluestore/aws4_request"
        answer = httpx.get(
            f"{self.emulator.endpoint_url}/key-value-stores/{self.store}/keys/config",
            headers={"authorization": f"AWS4-HMAC-SHA256 {credential}"},
        )
        return json.loads(answer.json()["Value"])

    def edge(self) -> list[PlaybackKey]:
        """Return the keys of the edge."""
        return [*parse_keys(",".join(map(":".join, self.config()["keys"].items())))]

    def service(self, name: str) -> list[PlaybackKey]:
        """Return the keys of the service."""
        found = self.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
        assert found["Type"] == "SecureString"
        return [*parse_keys(found["Value"])]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """Yield an account of these tests' own, behind a proxy that knows every host."""
    with start_emulator() as emulator:
        signatures: list[str] = []
        handler = partial(ByHost, emulator.endpoint_url, signatures)
        with LoopbackServer(handler) as proxy:
            cloudfront = client_of(emulator.endpoint_url, "cloudfront")
            store = cloudfront.create_key_value_store(Name=f"edge-{secrets.token_hex(4)}")
            arn = store["KeyValueStore"]["ARN"]
            yield Account(emulator, proxy.url, arn, signatures)


def make(account: Account, stage: str, *arguments: str, **variables: str) -> str:
    """Run `make playback-key`, and return its output."""
    # Within `make test-long` it would also print which folder it enters.
    environment = {**account.environment(stage, **variables), "MAKEFLAGS": "--no-print-directory"}
    return succeed("make", "playback-key", *arguments, env=environment)


def test_make_playback_key_creates_and_rotates_keys(account: Account) -> None:
    """Only tokens under the service's key pass the edge's function, and no secret is printed."""
    output = make(account, "t1", "ARGS=rotate")
    name = "/stream-limiter-t1-playback-key"
    (first,) = account.service(name)
    assert account.config()["mode"] == "off"
    assert account.edge() == [first]

    output += make(account, "t1", "ARGS=enforce")
    assert account.config()["mode"] == "enforce"
    assert account.edge() == [first]

    output += make(account, "t1")
    assert f"  {first.kid}  " in output
    assert "signs" in output

    (packages,) = (ROOT / ".venv-crt").glob("lib/python3*/site-packages")
    environment = {**account.environment("t1"), "PYTHONPATH": f"src:.:{packages}"}
    output += succeed(sys.executable, "-c", AT_ONCE, env=environment)

    (second,) = account.service(name)
    assert account.edge() == [second]
    assert second != first
    edge = Edge(account.config(), clock=lambda: 950)
    for key, outcome in ((first, Refused), (second, Passed)):
        token = TokenMint(key).mint("viewer-1", "tv", 1_000, 900)
        assert isinstance(edge.handle("GET", "/film.m3u8", {"CAT": token}), outcome)
    assert not re.search(r"[A-Za-z0-9_-]{43}", output.replace(account.store, ""))


def test_the_key_value_store_is_called_with_its_own_signature(account: Account) -> None:
    """The KeyValueStore is called with SigV4A and SSM with SigV4, as AWS requires but not the emulator."""
    make(account, "t2")
    algorithms = {
        signature.partition("Credential=")[2].split(",")[0].split("/")[-2]: signature.split(" ")[0]
        for signature in account.signatures
    }

    assert algorithms["cloudfront-keyvaluestore"] == "AWS4-ECDSA-P256-SHA256"
    assert algorithms["ssm"] == "AWS4-HMAC-SHA256"


def test_a_deployed_stage_names_its_parameter_and_its_paths(account: Account) -> None:
    """The stage's functions use the parameter that the command writes, and its paths become the edge's."""
    functions, iam = account.client("lambda"), account.client("iam")
    role = iam.create_role(RoleName="start", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions.create_function(
        FunctionName="stream-limiter-t3-start",
        Runtime="python3.13",
        Role=role,
        Handler="start.handler",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
        Environment={
            "Variables": {"PLAYBACK_KEY_PARAMETER": "/ours/playback-key", "GROUP_PATHS": "/uhd/=uhd"}
        },
    )
    version = functions.publish_version(FunctionName="stream-limiter-t3-start")["Version"]
    functions.create_alias(FunctionName="stream-limiter-t3-start", Name="live", FunctionVersion=version)

    assert make(account, "t3", KVS_ARN="none") == "/ours/playback-key: no keys\n"
    assert make(account, "t3", "ARGS=paths") == "/uhd/ now needs the group uhd.\n"
    assert account.config()["paths"] == {"/uhd/": "uhd"}


def test_a_command_that_names_no_edge_does_nothing(account: Account) -> None:
    """A command that names no edge does nothing, and prints how to say that there is none."""
    with pytest.raises(AssertionError, match="KVS_ARN=none"):
        make(account, "t4", "ARGS=rotate", KVS_ARN="")
