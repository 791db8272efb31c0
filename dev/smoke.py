"""`make smoke URL=…`: start, keep, list and end one stream of a user of its own; no stream is left.

What remains is the item of that one user, without a stream, and the same for every check.
"""

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

Sign = Callable[[httpx.Request], httpx.Request]


class SmokeError(Exception):
    """The service does not do what it should; the message is one sentence."""


def smoke(url: str, *, token: str | None = None, sign: Sign | None = None) -> None:
    """Check the service at this URL, as the bearer of this token or under a signature where it asks for one.

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
            for path in ("/stream/start", "/stream/heartbeat"):
                _expect(api.post(path, json=stream | user))
            if stream["streamId"] not in _expect(api.get("/stream", params=user)).text:
                raise SmokeError("GET /stream does not list the stream that was started.")
        finally:
            ended = api.post("/stream/end", json=stream | user)
        if not _expect(ended).json()["ended"]:
            raise SmokeError("POST /stream/end found nothing to end.")


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


def _expect(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        request = answer.request
        raise SmokeError(f"{request.method} {request.url.path} answered {answer.status_code}: {answer.text}")
    return answer


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
        smoke(url, token=os.environ.get("TOKEN"), sign=sign)
    except (SmokeError, httpx.HTTPError) as error:
        print(f"It does not work: {error}", file=sys.stderr)
        return 1
    print("It works.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
