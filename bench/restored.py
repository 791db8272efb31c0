"""First requests of environments restored by Lambda SnapStart: the work that a snapshot does not save.

Each environment is a process that imports a handler under SnapStart's variables, as Lambda does before the
snapshot, and answers one request. Only that request's processor time is measured, alternating with the bare
SDK's first call over a client created at import. A local endpoint replaces Lambda's endpoint for the role's
credentials.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.calls import ENVIRONMENT, TABLE
from bench.results import Progress, Row, median_row

_OURS = """
from entrypoints import stream_start
event = {"body": '{"userId": "restored", "streamId": "tv"}'}
def first():
    answer = stream_start.handler(event, None)
    assert answer["statusCode"] == 200, answer
"""

_BARE = f"""
import boto3
client = boto3.client("dynamodb")
def first():
    client.update_item(
        TableName="{TABLE}", Key={{"userId": {{"S": "restored-bare"}}}},
        UpdateExpression="ADD streamCount :one",
        ExpressionAttributeValues={{":one": {{"N": "1"}}}}, ReturnValues="ALL_NEW",
    )
"""

_PROGRAM = """
import sys, time
sys.path.insert(0, {folder!r})
{body}
before = time.process_time()
first()
print((time.process_time() - before) * 1000, file=sys.stderr)
"""


class _Credentials(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        role = {"AccessKeyId": "test", "SecretAccessKey": "test", "Token": "test"}
        body = json.dumps({**role, "Expiration": "2099-01-01T00:00:00Z"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def _credentials() -> Iterator[str]:
    """Serve a role's credentials, and yield the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Credentials) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _first_request(folder: Path, body: str, environment: dict[str, str]) -> float:
    """Return the milliseconds of processor time of one process's first request."""
    program = _PROGRAM.format(folder=str(folder), body=body)
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program], check=True, capture_output=True, env=environment
    )
    return float(run.stderr.splitlines()[-1])


def measure(folder: Path, rounds: int, progress: Progress) -> list[Row]:
    """Measure with the zip of `make package-local`, unpacked in this folder."""
    with _credentials() as url:
        environment = {
            name: value
            for name, value in ENVIRONMENT.items()
            if name not in {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
        } | {
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "test",
            "AWS_ENDPOINT_URL_DYNAMODB": os.environ["AWS_ENDPOINT_URL_DYNAMODB"],
        }
        bare, ours = [], []
        for number in range(rounds):
            progress(f"restored copies, round {number + 1} of {rounds}")
            bare.append(_first_request(folder, _BARE, environment))
            ours.append(_first_request(folder, _OURS, environment))
    return [
        median_row("restored.bare.first.cpu", "ms", bare),
        median_row("restored.first.cpu", "ms", ours, baseline=bare),
    ]
