"""The operator's command line, over the emulator: what an on-call engineer looks with and mends with."""

import io
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from adapters.clock import SystemClock
from adapters.dynamodb.census import DynamoDbCensus
from adapters.dynamodb.items import key, number, strings
from dev.table import ensure_table
from domain import audit
from domain.limiter import StreamLimiter
from domain.policy import Policy
from domain.ports import Deadline
from domain.requests import EndNamed, StartAnonymous, StartNamed
from entrypoints.streamctl import Operator, run
from tests.conftest import repository_over
from tests.support import expire

Streamctl: TypeAlias = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def table(emulator_client: Any) -> str:
    """A table of the test's own: an audit goes through all of it."""
    name = f"audited-{uuid.uuid4().hex[:8]}"
    ensure_table(emulator_client, name)
    return name


@pytest.fixture
def operator(emulator_client: Any, table: str) -> Operator:
    """An operator at that table."""
    repository = repository_over(emulator_client, table)
    return Operator(repository, DynamoDbCensus(emulator_client, table), SystemClock(), Policy())


@pytest.fixture
def streamctl(operator: Operator) -> Streamctl:
    """Runs a command: gives its exit code, and its lines as JSON objects."""

    def command(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        out = io.StringIO()
        code = run(operator, [*arguments, "--json"], out, io.StringIO())
        return code, [json.loads(line) for line in out.getvalue().splitlines()]

    return command


@pytest.fixture
def limiter(operator: Operator) -> StreamLimiter:
    """The service over the same table."""
    return StreamLimiter(operator.repository, operator.clock, operator.policy)


def break_count(client: Any, table: str, user_id: str, off_by: int) -> None:
    """Make a user's count wrong, as no write of the service does."""
    client.update_item(
        TableName=table,
        Key=key(user_id),
        UpdateExpression="ADD streamCount :by",
        ExpressionAttributeValues={":by": number(off_by)},
    )


def test_show_tells_who_holds_the_slots(streamctl: Streamctl, limiter: StreamLimiter) -> None:
    """Named streams one by one, anonymous ones by their number."""
    limiter.start(StartNamed("u", "tv", 3, "living room"))
    limiter.start(StartAnonymous("u", "r", 3))
    code, (user, stream) = streamctl("show", "u")
    assert code == 0
    assert (user["liveCount"], user["storedCount"], user["anonymousCount"]) == (2, 2, 1)
    assert (stream["streamId"], stream["device"], stream["live"]) == ("tv", "living room", True)


def test_show_tells_what_has_expired(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """A slot that is over still counts as taken, and no longer as live."""
    limiter.start(StartNamed("u", "tv", 3))
    expire(emulator_client, table, "u", "tv")
    _, (user, stream) = streamctl("show", "u")
    assert (user["liveCount"], user["storedCount"], stream["live"]) == (0, 1, False)


def test_show_and_audit_know_spent_tokens(
    streamctl: Streamctl, operator: Operator, emulator_client: Any, table: str
) -> None:
    """When the last token of a stream that is over ends, and what is counted that should not be."""
    limiter = StreamLimiter(operator.repository, operator.clock, Policy(token_overlap=2))
    limiter.start(StartNamed("u", "tv", 3))
    limiter.end(EndNamed("u", "tv"))
    code, (user, spent) = streamctl("show", "u")
    assert (code, user["liveCount"], spent["streamId"]) == (0, 0, "tv")
    assert spent["tokenExpiresAt"] is not None
    assert streamctl("audit")[1] == [{"users": 1, "found": 0, "repaired": 0}]
    emulator_client.update_item(
        TableName=table,
        Key=key("u"),
        UpdateExpression="ADD tokens :name",
        ExpressionAttributeValues={":name": strings(["nobody"])},
    )
    code, (finding, _) = streamctl("audit")
    assert (code, finding["miscountedNames"], finding["spentTokens"]) == (0, ["nobody"], [])
    assert streamctl("audit", "--repair")[1][0]["repaired"]
    assert streamctl("audit")[1] == [{"users": 1, "found": 0, "repaired": 0}]


def test_groups_are_shown_ended_and_counted_anew(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """Of each stream and of the user; an end gives their slots back, and an audit finds a wrong count."""
    for name in ("tv", "phone"):
        limiter.start(StartNamed("u", name, 3, groups=("hdr", "uhd")))
    _, (user, stream, _) = streamctl("show", "u")
    assert (user["groupCounts"], stream["groups"]) == ({"hdr": 2, "uhd": 2}, ["hdr", "uhd"])
    assert streamctl("end", "u", "tv")[1] == [{"userId": "u", "streamId": "tv", "ended": 1}]
    assert streamctl("show", "u")[1][0]["groupCounts"] == {"hdr": 1, "uhd": 1}
    emulator_client.update_item(
        TableName=table,
        Key=key("u"),
        UpdateExpression="SET #uhd = :wrong",
        ExpressionAttributeNames={"#uhd": "group#uhd"},
        ExpressionAttributeValues={":wrong": number(5)},
    )
    code, (finding, _) = streamctl("audit")
    assert (code, finding["miscountedGroups"]) == (0, ["uhd"])
    assert streamctl("audit", "--repair")[1][0]["repaired"]
    assert streamctl("audit")[1] == [{"users": 1, "found": 0, "repaired": 0}]
    assert streamctl("show", "u")[1][0]["groupCounts"] == {"hdr": 1, "uhd": 1}


def test_end_frees_one_stream(streamctl: Streamctl, limiter: StreamLimiter) -> None:
    """And says when it was not there."""
    limiter.start(StartNamed("u", "tv", 3))
    limiter.start(StartNamed("u", "phone", 3))
    assert streamctl("end", "u", "tv")[1] == [{"userId": "u", "streamId": "tv", "ended": 1}]
    assert streamctl("end", "u", "tv")[1] == [{"userId": "u", "streamId": "tv", "ended": 0}]
    assert streamctl("show", "u")[1][0]["storedCount"] == 1


def test_end_frees_a_whole_user(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """Named and anonymous streams, and a count that was wrong besides."""
    limiter.start(StartNamed("u", "tv", 3))
    limiter.start(StartAnonymous("u", "r", 3))
    break_count(emulator_client, table, "u", 5)
    assert streamctl("end", "u") == (0, [{"userId": "u", "streamId": None, "ended": 2}])
    assert streamctl("show", "u")[1][0]["storedCount"] == 0
    assert limiter.start(StartNamed("u", "tv", 1)).lease


def test_an_audit_of_a_sound_table_finds_nothing(streamctl: Streamctl, limiter: StreamLimiter) -> None:
    """Every user is looked at."""
    for n in range(5):
        limiter.start(StartNamed(f"u{n}", "tv", 3))
    assert streamctl("audit") == (0, [{"users": 5, "found": 0, "repaired": 0}])


@pytest.mark.parametrize("off_by", [-2, 1])
def test_an_audit_finds_a_wrong_count_and_repairs_it_when_asked_to(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str, off_by: int
) -> None:
    """It is told with a failing exit code until it is mended."""
    limiter.start(StartNamed("sound", "tv", 3))
    limiter.start(StartNamed("broken", "tv", 3))
    break_count(emulator_client, table, "broken", off_by)
    code, (finding, total) = streamctl("audit")
    assert (code, finding["userId"], finding["miscount"], total["found"]) == (1, "broken", off_by, 1)
    code, (finding, total) = streamctl("audit", "--repair")
    assert (code, finding["repaired"], total["repaired"]) == (0, True, 1)
    assert streamctl("audit") == (0, [{"users": 2, "found": 0, "repaired": 0}])
    assert streamctl("show", "broken")[1][0]["storedCount"] == 1


def test_an_audit_finds_expired_slots_and_clears_them_when_asked_to(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """They are ordinary: the exit code says that all is well."""
    limiter.start(StartNamed("u", "tv", 3))
    limiter.start(StartNamed("u", "phone", 3))
    expire(emulator_client, table, "u", "tv")
    code, (finding, _) = streamctl("audit")
    assert (code, finding["expiredStreams"], finding["repaired"]) == (0, ["tv"], False)
    streamctl("audit", "--repair")
    assert [line.get("streamId") for line in streamctl("show", "u")[1]] == [None, "phone"]


def test_a_repair_does_not_touch_what_changed_meanwhile(
    operator: Operator, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """A stream that starts between the look and the repair stays, and is counted."""
    limiter.start(StartNamed("u", "tv", 3))
    break_count(emulator_client, table, "u", 1)
    now = operator.clock.now()

    class Meanwhile:
        """Lets another stream start after the look."""

        def __init__(self) -> None:
            self.apply = operator.repository.apply

        def read(self, user_id: str, deadline: Deadline) -> Any:
            state = operator.repository.read(user_id, deadline)
            limiter.start(StartNamed("u", "phone", 3))
            return state

    assert audit.repair(Meanwhile(), "u", operator.policy, now, Deadline.after(5, operator.clock))
    state = operator.repository.read("u", Deadline.after(5, operator.clock))
    assert (state.stream_count, sorted(state.leases)) == (2, ["phone", "tv"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", " "], "must not be blank"),
        (["end", "u", "a/b"], "must be 1 to 64 characters"),
        ([], "required"),
    ],
)
def test_wrong_arguments_are_told_in_words(
    operator: Operator, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """The same rules hold for an operator's texts as for a player's."""
    with pytest.raises(SystemExit) as exit_:
        run(operator, arguments, io.StringIO(), io.StringIO())
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


def test_it_runs_as_a_command_of_its_own(limiter: StreamLimiter, emulator_client: Any, table: str) -> None:
    """With a table that TABLE_NAME names, for people to read; without one it says what is missing."""
    limiter.start(StartNamed("u", "tv", 3, "living room"))
    command = [sys.executable, "-m", "entrypoints.streamctl", "show", "u"]
    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith(("AWS_", "PATH"))},
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        "AWS_ENDPOINT_URL": emulator_client.meta.endpoint_url,
    }
    shown = subprocess.run(
        command, env={**environment, "TABLE_NAME": table}, capture_output=True, text=True, check=True
    )
    assert "u: 1 live, 1 slots taken, 0 of them anonymous" in shown.stdout
    assert "tv  living room  since" in shown.stdout
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr == "streamctl: TABLE_NAME is required.\n"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1/"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "Partial credentials found"),
        ({"AWS_DEFAULT_REGION": ""}, "You must specify a region"),
    ],
    ids=["nobody there", "half of the credentials", "no region"],
)
def test_the_operator_is_told_why_a_call_failed(variables: dict[str, str], told: str) -> None:
    """The SDK's own text, which no caller of the service ever sees."""
    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith(("AWS_", "PATH"))},
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        "TABLE_NAME": "streams",
        **variables,
    }
    command = [sys.executable, "-m", "entrypoints.streamctl", "show", "u"]
    given = {name: value for name, value in environment.items() if value}
    failed = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("streamctl: ")
    assert told in failed.stderr
    assert "Traceback" not in failed.stderr
