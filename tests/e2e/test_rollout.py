"""A release is rolled out as docs/rollout.md says: in shadow, enforced, and taken back, test by test.

Every step is the project's own command, with the emulator in AWS's place.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from dev import ROOT
from dev.emulators.ministack import Emulator, emulated_api_url, emulated_environment, start_emulator
from dev.operate.smoke import USER, smoke
from dev.operate.stage import FUNCTIONS
from dev.packaging import package
from dev.tools.terraform import STATES, binary
from tests.e2e.support.deployment import need_the_tools
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

BUCKET: Final = "states-of-ours"
GUEST, HOUSEHOLD = "guest", "household"


@dataclass(frozen=True)
class Desk:
    """The place from which an operator deploys a stage."""

    emulator: Emulator
    stage: str
    backend: Path

    def run(
        self, command: str, *arguments: str, answer: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run what a make target runs; return everything that it printed."""
        return subprocess.run(
            [sys.executable, "-m", command, *arguments],
            check=False,
            cwd=ROOT,
            env={
                **emulated_environment(self.emulator.endpoint_url),
                "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
                "STAGE": self.stage,
                "BACKEND_CONFIG": str(self.backend),
                "TF_VAR_package_path": str(package.build("local")),
                "TF_VAR_auth": "none",
                "TF_VAR_monitoring": "false",
                "TF_VAR_lease_seconds": "3600",  # the household watches on, however slow the machine is
                "TF_CLI_ARGS": "-no-color",
                **variables,
            },
            input=answer,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def deploy(self, enforcement: str, **variables: str) -> None:
        """Deploy as CI does, without a question."""
        done = self.run(
            "dev.operate.deploy", "deploy", AUTO_APPROVE="1", TF_VAR_enforcement=enforcement, **variables
        )
        assert done.returncode == 0, done.stdout
        assert "\nAPI_URL=" in done.stdout

    def client(self, service: str) -> Any:
        """Return an AWS client, as the account's root user."""
        return client_of(self.emulator.endpoint_url, service)

    def api_url(self) -> str:
        """Return the API's address."""
        (api,) = self.client("apigatewayv2").get_apis()["Items"]
        return emulated_api_url(self.emulator.endpoint_url, api["ApiEndpoint"])

    def start(self, user: str, stream: str) -> int:
        """Start a stream; return the status."""
        body = {"userId": user, "streamId": stream}
        return httpx.post(f"{self.api_url()}/stream/start", json=body, timeout=30).status_code

    def events(self) -> list[dict[str, Any]]:
        """Return every event of the starts."""
        group = f"/aws/lambda/stream-limiter-{self.stage}-start"
        lines = self.client("logs").filter_log_events(logGroupName=group)["events"]
        return [json.loads(line["message"]) for line in lines if line["message"].startswith("{")]

    def configured(self, expression: str) -> Any:
        """Return the value of an expression in the stage's Terraform."""
        done = subprocess.run(
            [
                binary(),
                f"-chdir={ROOT / 'build' / 'stacks' / self.stage}",
                "console",
                f"-var=stage={self.stage}",
            ],
            check=True,
            env={
                **emulated_environment(self.emulator.endpoint_url),
                "CHECKPOINT_DISABLE": "1",
                "TF_VAR_auth": "none",
            },
            input=f"jsonencode({expression})",
            stdout=subprocess.PIPE,
            text=True,
        )
        return json.loads(json.loads(done.stdout))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Yield an account with nothing in it, and a stage that has a state on this machine."""
    need_the_tools()
    stage = f"t{secrets.token_hex(4)}"
    state = STATES / f"{stage}.tfstate"
    state.parent.mkdir(exist_ok=True)
    left_here = {"version": 4, "terraform_version": "1.9.0", "serial": 7, "lineage": "ours", "resources": []}
    outputs = {"table_name": {"value": "of a table of old", "type": "string"}}
    state.write_text(json.dumps({**left_here, "outputs": outputs}))
    with start_emulator(enforce_iam=True) as emulator:
        yield Desk(emulator, stage, tmp_path_factory.mktemp("desk") / "states.s3.tfbackend")
    for left in (f"state-bucket-{BUCKET}", stage):
        shutil.rmtree(ROOT / "build" / "stacks" / left, ignore_errors=True)
        for file in STATES.glob(f"{left}.tfstate*"):
            file.unlink()


def shown(graph: dict[str, Any], events: list[dict[str, Any]]) -> list[float]:
    """Return what a graph of the dashboard shows of each metric, as CloudWatch reads them from events."""
    assert graph["stat"] == "Sum"
    return [
        sum(
            event[name]
            for event in events
            for directive in event["_aws"]["CloudWatchMetrics"]
            if directive["Namespace"] == namespace
            and name in [metric["Name"] for metric in directive["Metrics"]]
            and dict(zip(dimensions[::2], dimensions[1::2], strict=True))
            in [{key: event[key] for key in keys} for keys in directive["Dimensions"]]
        )
        for namespace, name, *dimensions in graph["metrics"]
    ]


def test_remote_state_creates_a_bucket_and_moves_the_state(desk: Desk) -> None:
    """Terraform's state moves from this machine into a bucket that is versioned and private."""
    done = desk.run("dev.operate.remote_state", BUCKET=BUCKET, AUTO_APPROVE="1")

    assert done.returncode == 0, done.stdout
    s3 = desk.client("s3")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    blocked = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert list(blocked.values()) == [True] * 4
    (state,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert state["Key"] == f"stream-limiter/{desk.stage}.tfstate"
    moved = json.load(s3.get_object(Bucket=BUCKET, Key=state["Key"])["Body"])
    assert moved["outputs"]["table_name"]["value"] == "of a table of old"
    assert not (STATES / f"{desk.stage}.tfstate").exists()


def test_a_locked_state_is_not_deployed(desk: Desk) -> None:
    """While a colleague's lock lies in the bucket nothing is deployed, and the colleague is named."""
    lock = {"Bucket": BUCKET, "Key": f"stream-limiter/{desk.stage}.tfstate.tflock"}
    holder = {"ID": "1", "Operation": "OperationTypeApply", "Who": "colleague@desk", "Path": lock["Key"]}
    s3 = desk.client("s3")
    s3.put_object(**lock, Body=json.dumps(holder).encode())

    done = desk.run("dev.operate.deploy", "deploy", AUTO_APPROVE="1")
    s3.delete_object(**lock)

    assert done.returncode == 1
    assert "colleague@desk" in done.stdout


def test_shadow_mode_admits_all_and_the_dashboard_counts_would_be_refusals(desk: Desk) -> None:
    """Starts above the limit are admitted, counted on the dashboard, and traced to their user."""
    desk.deploy("shadow")

    assert [desk.start(HOUSEHOLD, f"tv-{number}") for number in range(5)] == [200] * 5
    assert desk.start(GUEST, "tv") == 200

    seen = desk.configured('{ rows = local.rows, query = local.queries["who shadow mode would refuse"] }')
    graphs = {title: graph for row in seen["rows"] for title, graph in row["graphs"].items()}
    events = desk.events()
    assert shown(graphs["Shadow mode: would be refused"], events) == [2]
    assert 'filter outcome = "would_refuse" | stats count() as starts' in seen["query"]
    refused = Counter(event["user"] for event in events if event["outcome"] == "would_refuse")
    (household,) = {event["user"] for event in events if event["stream_count"] == 5}
    assert refused == {household: 2}


def test_smoke_leaves_one_item_without_a_stream(desk: Desk) -> None:
    """However often the smoke test runs, one user's item remains, which holds no slot."""
    table = {"TableName": f"stream-limiter-{desk.stage}"}
    dynamodb = desk.client("dynamodb")
    before = {item["userId"]["S"] for item in dynamodb.scan(**table)["Items"]}

    for _ in range(2):
        smoke(desk.api_url())

    items = {item["userId"]["S"]: item for item in dynamodb.scan(**table)["Items"]}
    assert items.keys() - before == {USER}
    assert items[USER]["streamCount"] == {"N": "0"}
    assert [name for name in items[USER] if name.startswith("stream#")] == []
    assert "expiresAt" in items[USER]


def test_an_enforced_limit_refuses_the_predicted_user(desk: Desk) -> None:
    """Once enforced, the limit refuses the household, as the dashboard predicted, and not the guest."""
    desk.deploy("enforce")

    assert desk.start(HOUSEHOLD, "tv-6") == 403
    assert desk.start(GUEST, "tablet") == 200


def test_a_rollback_restores_the_previous_release_at_once(desk: Desk) -> None:
    """After one command the API calls the previous release, with its settings, and refuses no user."""
    done = desk.run("dev.operate.rollback")

    assert done.returncode == 0, done.stdout
    assert f"stream-limiter-{desk.stage}-start: version 2 -> 1\n" in done.stdout
    assert desk.start(HOUSEHOLD, "tv-6") == 200


def test_the_next_plan_warns_that_it_would_undo_the_rollback(desk: Desk) -> None:
    """The plan names each alias that would end the rollback, with the reason, and waits for a yes."""
    done = desk.run("dev.operate.deploy", "deploy", answer="no\n", TF_VAR_enforcement="enforce")

    assert done.returncode == 1
    assert f"Plan: 0 to add, {len(FUNCTIONS)} to change, 0 to destroy" in done.stdout
    assert done.stdout.count('"Rolled back from version 2." -> "The newest version."') == len(FUNCTIONS)
    assert "Only 'yes' will be accepted" in done.stdout
    assert desk.start(HOUSEHOLD, "tv-7") == 200


def test_a_deployment_deletes_versions_beyond_the_rollback_range(desk: Desk) -> None:
    """Two releases are kept, the withdrawn one is deleted with its mark, and a rollback is possible."""
    desk.deploy("enforce", TF_VAR_max_streams="4", KEEP_VERSIONS="2")

    client = desk.client("lambda")
    start = f"stream-limiter-{desk.stage}-start"
    versions = client.list_versions_by_function(FunctionName=start)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "3"]
    aliases = client.list_aliases(FunctionName=start)["Aliases"]
    assert {alias["Name"]: alias["FunctionVersion"] for alias in aliases} == {"live": "3"}
    assert desk.start(HOUSEHOLD, "tv-8") == 403
    done = desk.run("dev.operate.rollback")
    assert f"{start}: version 3 -> 1\n" in done.stdout
    assert desk.start(HOUSEHOLD, "tv-8") == 200
