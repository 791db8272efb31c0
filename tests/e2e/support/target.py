"""A deployed service as an attacker meets it, and what the attacker can obtain."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dev.emulators.issuer import Issuer
from dev.emulators.ministack import REGION
from tests.support.documented import invoke_policies

ME: Final = "viewer-1"
VICTIM: Final = "viewer-2"
SCRIPT: Final = "viewer-script"
"""The beginning of the names of users for whom a script collects playback tokens."""

START: Final = "/stream/start"


@dataclass(frozen=True)
class World:
    """One deployed API, and what an attacker of it can obtain.

    Attributes:
        auth: how it authenticates its callers.
        url: its address.
        issuer: of the tokens that it accepts, under `jwt`.
        account: returns a client of the account that it is in.
        backend: who may sign for it, under `iam`.
    """

    auth: str
    url: str
    issuer: Issuer
    account: Callable[[str], Any]
    backend: Credentials

    @property
    def api_id(self) -> str:
        """The API's name in ARNs."""
        return self.url.rpartition("/")[2]

    def send(
        self, path: str, body: bytes | None, headers: Mapping[str, str], method: str = ""
    ) -> httpx.Response:
        """Send one request; without a body and a method it is a GET."""
        sent = {"content-type": "application/json", **headers}
        return httpx.request(method or _method(body), self.url + path, content=body, headers=sent, timeout=30)

    def send_as_me(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        """Send one authenticated request: of an ordinary viewer, or of a backend."""
        who: dict[str, str] = {}
        if self.auth == "jwt":
            who = {"authorization": f"Bearer {self.issuer.token(ME)}"}
        if self.auth == "iam":
            who = self.signed(path, body, self.backend)
        return self.send(path, body, {**who, **headers})

    def send_for(self, user: str, limit: int | None, path: str, **fields: object) -> httpx.Response:
        """Send one request for a user with this limit: by the user's login, or signed by a backend."""
        if self.auth == "jwt":
            login = self.issuer.token(user, **({} if limit is None else {"maxStreams": limit}))
            return self.send(path, json.dumps(fields).encode(), {"authorization": f"Bearer {login}"})
        named = {"userId": user, **({} if limit is None else {"maxStreams": limit}), **fields}
        body = json.dumps(named).encode()
        return self.send(path, body, self.signed(path, body, self.backend))

    def playback_token(self, user: str, **fields: object) -> str:
        """Return the playback token of a stream that is started for a user."""
        answer = self.send_for(user, None, START, **fields)
        return str(answer.json()["playbackToken"])

    def signed(
        self, path: str, body: bytes | None, by: Credentials, *, at: str = "", method: str = ""
    ) -> dict[str, str]:
        """Return the headers of a signature (of now, or of this time)."""
        method, url = method or _method(body), self.url + path
        if not at:
            return signature(method, url, body, by)
        request = AWSRequest(method, url, {}, body)
        signer = SigV4Auth(by, "execute-api", REGION)
        request.context["timestamp"] = at
        request.headers["X-Amz-Date"] = at
        canonical = signer.canonical_request(request)
        to_sign = signer.string_to_sign(request, canonical)
        signer._inject_signature_to_request(request, signer.signature(to_sign, request))  # noqa: SLF001 - botocore signs for now alone
        return dict(request.headers)

    def user_with(self, name: str, *resources: str) -> Credentials:
        """Return a user of the account who may invoke these, or nothing."""
        iam = self.account("iam")
        iam.create_user(UserName=name)
        if resources:
            allow = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resources}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
            iam.put_user_policy(UserName=name, PolicyName="invoke", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def arn(self, what: str) -> str:
        """Return the ARN of a part of an API, as in a policy."""
        return f"arn:aws:execute-api:{REGION}:000000000000:{what}"

    def documented_arns(self, who: str) -> list[str]:
        """Return what docs/security.md lets a `backend` or an `operator` invoke of this API."""
        return [
            arn.replace("<region>", REGION).replace("<account>", "000000000000").replace("<api>", self.api_id)
            for arn in invoke_policies()[who]["Resource"]
        ]


def signature(method: str, url: str, body: bytes | None, by: Credentials) -> dict[str, str]:
    """Return the headers of a signature of now."""
    request = AWSRequest(method, url, {}, body)
    SigV4Auth(by, "execute-api", REGION).add_auth(request)
    return dict(request.headers)


def _method(body: bytes | None) -> str:
    return "GET" if body is None else "POST"
