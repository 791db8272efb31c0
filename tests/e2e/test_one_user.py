"""One user's events can be found on a stage as `make up` brings it up, with nothing set besides."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx
import pytest

from dev.emulators.ministack import Emulator, emulated_environment, start_emulator
from tests.e2e.support import insights
from tests.e2e.support.deployment import need_the_tools
from tests.e2e.support.watched_stage import copied
from tests.support.commands import succeed
from tests.support.service import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

PREFIX: Final = "stream-limiter-local"
PARAMETER: Final = f"/{PREFIX}-log-hash-key"
FUNCTIONS: Final = [f"{PREFIX}-{key}" for key in ("start", "end", "heartbeat", "list")]
PLACEHOLDER: Final = "the hash by streamctl"
LAST_DAY: Final = "one user's last day"
AT_ONCE: Final = "how many users reach each number of streams at once"
FAMILY: Final = "viewer-family"
Queries: TypeAlias = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Desk:
    """A copy of the project, whose commands run without any settings.

    Attributes:
        up: the output of `make up`.
    """

    project: Path
    emulator: Emulator
    home: Path
    up: str = ""

    def make(self, *arguments: str) -> str:
        """Run a command; return its output."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "MAKEFLAGS": "--no-print-directory",
        }
        return succeed("make", *arguments, cwd=self.project, env=environment)

    def bring_up(self) -> str:
        """Run `make up` on the running emulator."""
        return self.make("up", f"EMULATOR_PORT={self.emulator.port}")

    def streamctl(self, arguments: str) -> str:
        """Run `make streamctl`."""
        return self.make("streamctl", f"ARGS={arguments}")

    def client(self, service: str) -> Any:
        """Return an AWS client, as the account's root user."""
        return client_of(self.emulator.endpoint_url, service)

    @property
    def key(self) -> Mapping[str, Any]:
        """Return the parameter that holds the key."""
        answer = self.client("ssm").get_parameter(Name=PARAMETER, WithDecryption=True)
        found: Mapping[str, Any] = answer["Parameter"]
        return found

    def events(self) -> list[insights.Row]:
        """Return everything that the functions have logged."""
        return insights.read(self.client("logs"), [f"/aws/lambda/{name}" for name in FUNCTIONS])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Yield a running stage, and an evening of four households on it."""
    need_the_tools()
    project = copied(tmp_path_factory.mktemp("desk") / "project")
    with start_emulator(enforce_iam=True) as emulator:
        desk = Desk(project, emulator, tmp_path_factory.mktemp("home"))
        desk = Desk(project, emulator, desk.home, desk.bring_up())
        evening(desk.up.rpartition("API_URL=")[2].strip())
        yield desk


@pytest.fixture(scope="module")
def queries(desk: Desk) -> Queries:
    """Return the saved queries as Terraform plans them: the emulator keeps none."""
    inputs = [
        *("-var=stage=local", "-var=auth=none", "-var=monitoring=true"),
        f"-var=package_path={desk.project}/build/stream-limiter-local.zip",
        f"-var=log_hash_key_parameter={PARAMETER}",
    ]
    account = emulated_environment(desk.emulator.endpoint_url)
    return insights.planned(desk.project / "build" / "stacks" / "local", inputs, account)


def evening(url: str) -> None:
    """Let four households watch: two on one screen, one on two, and one on three, which tries a fourth."""

    def call(route: str, user: str, stream: str) -> int:
        return httpx.post(
            f"{url}/stream/{route}", json={"userId": user, "streamId": stream}, timeout=30
        ).status_code

    for user, streams in (("viewer-a", ["tv"]), ("viewer-b", ["tv"]), ("viewer-c", ["tv", "phone"])):
        assert [call("start", user, stream) for stream in streams] == [200] * len(streams)
    assert [call("start", FAMILY, stream) for stream in ("tv", "phone", "tablet", "laptop")] == [200] * 3 + [
        403
    ]
    assert [call("heartbeat", FAMILY, "tv"), call("end", FAMILY, "phone")] == [200, 200]


def test_streamctl_finds_the_stage(desk: Desk) -> None:
    """After `make up`, `streamctl` needs no table, no region and no credentials."""
    assert desk.streamctl(f"show {FAMILY}").startswith(f"{FAMILY}: 2 live, 2 slots taken")


def test_one_users_last_day(desk: Desk, queries: Queries) -> None:
    """By the hash that `streamctl` prints, the query lists the user's day over all functions, in order."""
    query = queries["events"][LAST_DAY]
    assert PLACEHOLDER in query
    user = desk.streamctl(f"hash {FAMILY}").strip()

    found = insights.run(query.replace(PLACEHOLDER, user), desk.events())

    assert [(row["route"], row["outcome"], row["stream_count"]) for row in found] == [
        *(("POST /stream/start", "admitted", count) for count in (1, 2, 3)),
        ("POST /stream/start", "refused", 3),
        ("POST /stream/end", "ended", 2),
    ]
    assert [row.get("code") for row in found] == [None] * 3 + ["limit_reached", None]


def test_the_query_counts_users_by_highest_number_of_streams(desk: Desk, queries: Queries) -> None:
    """The query counts users by their highest number of streams, and those who were refused one more."""
    assert insights.run(queries["events"][AT_ONCE], desk.events()) == [
        {"streams": 1, "users": 2, "refused_more": 0},
        {"streams": 2, "users": 1, "refused_more": 0},
        {"streams": 3, "users": 1, "refused_more": 1},
    ]


def test_every_saved_query_runs(desk: Desk, queries: Queries) -> None:
    """Every saved query has only forms that are evaluated here, and accepts every line that functions log."""
    assert queries.keys() == {"events", "access_log"}
    for query in (query for log in queries.values() for query in log.values()):
        insights.run(query, desk.events())


def test_the_key_is_only_in_its_parameter(desk: Desk) -> None:
    """The key is in no state, no other file of the stage, no setting, no log and no output."""
    key = desk.key["Value"]
    functions = desk.client("lambda")
    settings = [functions.get_function_configuration(FunctionName=name)["Environment"] for name in FUNCTIONS]
    files = [
        file for folder in (".state", "build/stacks/local") for file in (desk.project / folder).iterdir()
    ]

    assert desk.key["Type"] == "SecureString"
    assert all(PARAMETER in str(one) and key not in str(one) for one in settings)
    assert any(PARAMETER.encode() in file.read_bytes() for file in files if file.suffix == ".tfstate")
    assert not any(key.encode() in file.read_bytes() for file in files if file.is_file())
    assert key not in str(desk.events()) + desk.up


def test_a_second_time_changes_nothing(desk: Desk) -> None:
    """A second `make up` creates no version of the key or of a function, and users keep their hashes."""

    def state() -> tuple[str, list[str], list[int]]:
        functions = desk.client("lambda")
        versions = [functions.list_versions_by_function(FunctionName=name)["Versions"] for name in FUNCTIONS]
        counts = [len(found) for found in versions]
        return desk.streamctl(f"hash {FAMILY}"), [desk.key["Value"]], [desk.key["Version"], *counts]

    before = state()
    desk.bring_up()

    assert state() == before


def test_down_deletes_the_key(desk: Desk) -> None:
    """Runs last: `make down` deletes the parameter with the logs, though the emulator stays."""
    desk.make("down")

    assert desk.client("ssm").describe_parameters()["Parameters"] == []
