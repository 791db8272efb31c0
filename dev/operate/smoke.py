"""`make smoke URL=…`: start, keep, list and end one stream of a user of its own; no stream is left.

A service that refuses the stream because its user has no slot left is right: then the other routes must not
know the stream. What remains is the item of that one user, without a stream, and the same for every check.
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

ANSWERS_WITHIN_SECONDS = 10
USER = "smoke-test"
RSA = ("RS", "PS")
"""What the names of RSA's algorithms begin with: https://www.rfc-editor.org/rfc/rfc7518#section-3.1"""

Sign = Callable[[httpx.Request], httpx.Request]


class SmokeError(Exception):
    """The service does not do what it should; the message is one sentence."""


def smoke(url: str, *, token: str | None = None, sign: Sign | None = None) -> str | None:
    """Check the service at this URL, as the bearer of this token or under a signature where it asks for one.

    Return why the service refused the stream where that is right, and `None` where it admitted the stream.

    Raises:
        SmokeError: a call was not answered as it should be.
    """
    stream = {"streamId": f"smoke-{secrets.token_hex(4)}"}
    user = {} if token else {"userId": USER}  # under a token, its subject is the user
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(
        base_url=url.rstrip("/"), headers=headers, auth=sign, timeout=ANSWERS_WITHIN_SECONDS
    ) as api:
        try:
            started = api.post("/stream/start", json=stream | user)
            refusal = _right_refusal(started)
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
    """Give what signs a request with the environment's AWS credentials.

    Raises:
        SmokeError: there are none, or no region.
    """
    session = boto3.Session()
    credentials = session.get_credentials()
    region = os.environ.get("AWS_REGION") or session.region_name
    if credentials is None or region is None:
        raise SmokeError("a signature needs AWS credentials and AWS_REGION.")
    signer = SigV4Auth(credentials, "execute-api", region)

    def sign(request: httpx.Request) -> httpx.Request:
        signed = AWSRequest(request.method, str(request.url), {}, request.content)
        signer.add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request

    return sign


def _right_refusal(started: httpx.Response) -> str | None:
    """Return why a start was refused, if no slot is free by the refusal's own figures, or no further name."""
    try:
        refusal = started.json()
        is_full = refusal["streamCount"] >= refusal["maxStreams"]
        is_right = refusal["code"] == "too_many_starts" or (refusal["code"] == "limit_reached" and is_full)
        return str(refusal["detail"]) if is_right else None
    except (ValueError, TypeError, KeyError):  # an answer that is none of these refusals
        return None


def _expect(answer: httpx.Response, status: int = httpx.codes.OK) -> httpx.Response:
    if answer.status_code != status:
        request = answer.request
        failure = f"{request.method} {request.url.path} answered {answer.status_code}: {answer.text}"
        if challenge := answer.headers.get("www-authenticate"):  # API Gateway's reason stands here alone
            failure += f" ({challenge})"
        bearer, _, token = request.headers.get("authorization", "").partition(" ")
        if answer.status_code == httpx.codes.UNAUTHORIZED and bearer == "Bearer":
            failure += _reason_in(token)
        raise SmokeError(failure)
    return answer


def _reason_in(token: str) -> str:
    """Explain why API Gateway rejects every token like this one; empty where its header shows no reason.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
    """
    encoded = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        algorithm, key_id = header.get("alg"), header.get("kid")
    except (ValueError, AttributeError):
        return " (TOKEN is not a JWT)"
    if not str(algorithm).startswith(RSA):
        return f" (API Gateway takes only RSA signatures, such as RS256, and the alg of TOKEN is {algorithm})"
    if not key_id:
        return " (API Gateway finds the issuer's key by the kid in a token's header, and TOKEN has none)"
    return ""


def main() -> int:
    """Check the service at URL, with TOKEN or AUTH=iam where it asks who calls."""
    url = os.environ.get("URL")
    if not url:
        print(
            "Which service? make smoke URL=… (make up and make deploy print it as API_URL)", file=sys.stderr
        )
        return 2
    try:
        sign = signature() if os.environ.get("AUTH") == "iam" else None
        refusal = smoke(url, token=os.environ.get("TOKEN"), sign=sign)
    except (SmokeError, httpx.HTTPError) as error:
        print(f"It does not work: {error}", file=sys.stderr)
        return 1
    print("It works." if refusal is None else f"It works, and rightly refuses another stream: {refusal}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
