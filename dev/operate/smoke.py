"""`make smoke URL=…`: start, keep, list and end one stream of a dedicated user; no stream is left.

A refusal for lack of a free slot is correct: then the other routes must not know the stream. That user's item
remains, without a stream, and is shared by all checks.
"""

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from dev.operate.stage import StackError, region
from dev.tools.command import words

ANSWER_TIMEOUT_SECONDS = 10
USER = "smoke-test"
RSA = ("RS", "PS")
"""The start of the names of RSA algorithms: https://www.rfc-editor.org/rfc/rfc7518#section-3.1"""

Sign = Callable[[httpx.Request], httpx.Request]


class SmokeError(Exception):
    """The service does not work; the message is one sentence."""


def smoke(url: str, *, token: str | None = None, sign: Sign | None = None) -> str | None:
    """Check the service at this URL, with this token or signature if the service requires one.

    Return the reason for a correct refusal of the stream, or `None` if the service admitted it.

    Raises:
        SmokeError: an answer was wrong.
    """
    stream = {"streamId": f"smoke-{secrets.token_hex(4)}"}
    user = {} if token else {"userId": USER}  # a token's subject is the user
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(
        base_url=url.rstrip("/"), headers=headers, auth=sign, timeout=ANSWER_TIMEOUT_SECONDS
    ) as api:
        try:
            started = api.post("/stream/start", json=stream | user)
            refusal = _correct_refusal(started)
            if refusal is None:
                _expect(started)
            kept = api.post("/stream/heartbeat", json=stream | user)
            _expect(kept, httpx.codes.OK if refusal is None else httpx.codes.GONE)
            is_listed = stream["streamId"] in _expect(api.get("/stream", params=user)).text
        finally:
            ended = api.post("/stream/end", json=stream | user)
        has_ended = _expect(ended).json()["ended"]
    if refusal is None and not is_listed:
        raise SmokeError("GET /stream does not list the stream that was started.")
    if refusal is None and not has_ended:
        raise SmokeError("POST /stream/end found nothing to end.")
    if refusal is not None and (is_listed or has_ended):
        raise SmokeError("POST /stream/start took a slot for a stream that it refused.")
    return refusal


def signature() -> Sign:
    """Return a function that signs a request with the environment's AWS credentials.

    Raises:
        StackError: the credentials or the region are missing.
    """
    where = region()
    signer = SigV4Auth(boto3.Session().get_credentials(), "execute-api", where)

    def sign(request: httpx.Request) -> httpx.Request:
        signed = AWSRequest(request.method, str(request.url), {}, request.content)
        signer.add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request

    return sign


def _correct_refusal(started: httpx.Response) -> str | None:
    """Return the reason for a refusal that its own figures justify: no free slot, or no further name."""
    try:
        refusal = started.json()
        is_full = refusal["streamCount"] >= refusal["maxStreams"]
        is_right = refusal["code"] == "too_many_starts" or (refusal["code"] == "limit_reached" and is_full)
        return str(refusal["detail"]) if is_right else None
    except (ValueError, TypeError, KeyError):  # the answer is not one of these refusals
        return None


def _expect(answer: httpx.Response, status: int = httpx.codes.OK) -> httpx.Response:
    if answer.status_code != status:
        request = answer.request
        failure = f"{request.method} {request.url.path} answered {answer.status_code}: {answer.text}"
        if challenge := answer.headers.get("www-authenticate"):  # API Gateway puts its reason only here
            failure += f" ({challenge})"
        bearer, _, token = request.headers.get("authorization", "").partition(" ")
        if answer.status_code == httpx.codes.UNAUTHORIZED and bearer == "Bearer":
            failure += _reason_in(token)
        raise SmokeError(failure)
    return answer


def _reason_in(token: str) -> str:
    """Explain why API Gateway rejects all tokens like this one; return "" if the header shows no reason.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
    """
    encoded = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        algorithm, key_id = header.get("alg"), header.get("kid")
    except (ValueError, AttributeError):
        return " (TOKEN is not a JWT)"
    if not str(algorithm).startswith(RSA):
        return (
            f" (API Gateway accepts only RSA signatures, such as RS256, and the alg of TOKEN is {algorithm})"
        )
    if not key_id:
        return " (API Gateway finds the issuer's key by the kid in a token's header, and TOKEN has none)"
    return ""


VARIABLES = {
    "URL": "the API's URL",
    "TOKEN": "a bearer token, if the service requires one",
    "AUTH": "iam to sign the requests",
    "AWS_REGION": "the region, by default the AWS profile's",
}


def main() -> int:
    """Check the service at URL, with TOKEN or AUTH=iam if it requires authentication."""
    url = os.environ.get("URL")
    if not url:
        print(
            "Which service? make smoke URL=… (make up and make deploy print it as API_URL)", file=sys.stderr
        )
        return 2
    try:
        sign = signature() if os.environ.get("AUTH") == "iam" else None
        refusal = smoke(url, token=os.environ.get("TOKEN"), sign=sign)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except (SmokeError, httpx.HTTPError) as error:
        print(f"It does not work: {error}", file=sys.stderr)
        return 1
    print("It works." if refusal is None else f"It works, and correctly refuses another stream: {refusal}")
    return 0


if __name__ == "__main__":
    words("smoke", __doc__, VARIABLES)
    sys.exit(main())
