"""A recorder of fixtures: an earlier commit's answers and writes. README.md has the command."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from adapters.aws.errors import ErrorAnswer
from dev import ROOT
from dev.emulators.ministack import REGION
from testing.simulated_dynamodb import SimulatedDynamoDb
from tests.support.loopback import LoopbackServer
from tests.upgrade import old_handlers
from tests.upgrade.stories import BEGIN, FIXTURES, GROUP_STORIES, STORIES, Call

VARIABLES: Final = {"TABLE_NAME": "streams", "AUTH": "none"}
TOKENS: Final = {"PLAYBACK_KEY": f"k1:{'A' * 43}"}
GROUPS: Final = {"GROUP_LIMITS": "uhd=1"}


class Store(LoopbackServer):
    """DynamoDB on loopback, which keeps each `UpdateItem` request and whether it landed."""

    def __init__(self) -> None:
        super().__init__(partial(_Requests, self))
        self.table = SimulatedDynamoDb()
        self.writes: list[dict[str, Any]] = []

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, Mapping[str, Any]]:
        """Return the status and the body of the answer to a request."""
        if operation == "GetItem":
            return 200, self.table.get_item(request)
        try:
            answer = self.table.update_item(request)
        except ErrorAnswer as error:
            self.writes.append({"request": request, "lands": False})
            return error.status, {"__type": error.code, "Item": error.item}
        self.writes.append({"request": request, "lands": True})
        return 200, answer


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, store: Store, *arguments: Any) -> None:
        self._store = store
        super().__init__(*arguments)  # which handles the requests of a connection

    def do_POST(self) -> None:
        """Serve a call of DynamoDB."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self._store.answer(self.headers["X-Amz-Target"].rpartition(".")[2], request)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def _handlers(commit: str, store: Store, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run the handlers of a commit over the store."""
    with tempfile.TemporaryDirectory() as folder:
        sources = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, check=True, capture_output=True)
        subprocess.run(["tar", "--extract", "--directory", folder], input=sources.stdout, check=True)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{folder}/src",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL_DYNAMODB": store.url,
            **variables,
        }
        command = [sys.executable, old_handlers.__file__]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
            yield process


def record(
    commit: str, variables: Mapping[str, str], stories: Mapping[str, tuple[Call, ...]]
) -> dict[str, Any]:
    """Return what a commit makes of the stories."""

    def serve(user_id: str, call: Call, at: int) -> dict[str, Any]:
        assert process.stdin
        assert process.stdout
        sent = {"name": call.name, "at": at, "event": call.event(user_id)}
        print(json.dumps(sent), file=process.stdin, flush=True)
        return dict(json.loads(process.stdout.readline()))

    recorded = {}
    with Store() as store, _handlers(commit, store, variables) as process:
        for user_id, calls in stories.items():
            at, kept = BEGIN, []
            for call in calls:
                at += call.after
                status = serve(user_id, call, at)["statusCode"]
                kept.append({"at": at, "status": status, "writes": store.writes})
                store.writes = []
            answer = json.loads(serve(user_id, Call("list", {}), at + 1)["body"])
            recorded[user_id] = {
                "calls": kept,
                "at": at + 1,
                "answer": answer,
                "item": store.table.items[user_id],
            }
    return recorded


def main() -> None:
    """Write one fixture."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade.record", description=__doc__)
    parser.add_argument("commit", help="whose code serves the stories")
    parser.add_argument("name", help="of the fixture")
    parser.add_argument("--tokens", action="store_true", help="with a playback key")
    parser.add_argument("--groups", action="store_true", help="with groups, and the stories about them")
    given = parser.parse_args()
    variables = {**VARIABLES, **(TOKENS if given.tokens else {}), **(GROUPS if given.groups else {})}
    stories = {**STORIES, **(GROUP_STORIES if given.groups else {})}
    described = subprocess.run(
        ["git", "show", "--no-patch", "--format=%H %cs %s", given.commit],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    fixture = {
        "commit": described.stdout.strip(),
        "variables": variables,
        "stories": record(given.commit, variables, stories),
    }
    text = json.dumps(fixture, indent=1)
    (FIXTURES / f"{given.name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
