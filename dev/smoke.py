"""`make smoke URL=…`: start, keep, list and end one stream of a user made up for it; no stream is left."""

import os
import secrets
import sys

import httpx

ANSWERS_WITHIN_SECONDS = 10


class SmokeError(Exception):
    """The service does not do what it should; the message is one sentence."""


def smoke(url: str, token: str | None = None) -> None:
    """Check the service at this URL, as the bearer of this token where it asks for one.

    Raises:
        SmokeError: a call was not answered as it should be.
    """
    stream = {"streamId": f"smoke-{secrets.token_hex(4)}"}
    if token is None:
        stream["userId"] = f"smoke-test-{secrets.token_hex(8)}"  # under a token, its subject is the user
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=ANSWERS_WITHIN_SECONDS) as api:
        try:
            for path in ("/stream/start", "/stream/heartbeat"):
                _expect(api.post(path, json=stream))
            user = {} if token else {"userId": stream["userId"]}
            if stream["streamId"] not in _expect(api.get("/stream", params=user)).text:
                raise SmokeError("GET /stream does not list the stream that was started.")
        finally:
            ended = api.post("/stream/end", json=stream)
        if not _expect(ended).json()["ended"]:
            raise SmokeError("POST /stream/end found nothing to end.")


def _expect(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        request = answer.request
        raise SmokeError(f"{request.method} {request.url.path} answered {answer.status_code}: {answer.text}")
    return answer


def main() -> int:
    """Check the service at URL, with TOKEN if there is one."""
    url = os.environ.get("URL")
    if not url:
        print(
            "Which service? make smoke URL=… (make up and make deploy print it as API_URL)", file=sys.stderr
        )
        return 2
    try:
        smoke(url, os.environ.get("TOKEN"))
    except (SmokeError, httpx.HTTPError) as error:
        print(f"It does not work: {error}", file=sys.stderr)
        return 1
    print("It works.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
