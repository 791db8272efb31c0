"""The operator's command line, over the emulator: inspection and repair for an on-call engineer."""

import io
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import boto3
import pytest
from pydantic import SecretStr

from adapters.clock import SystemClock
from adapters.dynamodb.census import DynamoDbCensus
from adapters.dynamodb.items import key, number, strings
from dev.emulators.table import ensure_table
from domain import audit
from domain.errors import TooManyStarts
from domain.limiter import StreamLimiter
from domain.policy import Policy
from domain.ports import Deadline
from domain.requests import EndNamed, StartAnonymous, StartNamed
from entrypoints.event_log import EventLog
from entrypoints.settings import LogLevel
from entrypoints.streamctl import Operator, run
from tests.conftest import repository_over
from tests.support.service import expire

Streamctl: TypeAlias = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def table(emulator_client: Any) -> str:
    """Return a table of the test's own: an audit reads all of it."""
    name = f"audited-{uuid.uuid4().hex[:8]}"
    ensure_table(emulator_client, name)
    return name


@pytest.fixture
def operator(emulator_client: Any, table: str) -> Operator:
    """Return an operator at that table."""
    repository = repository_over(emulator_client, table)
    census = DynamoDbCensus(emulator_client, table)
    return Operator(repository, census, SystemClock(), Policy(), lambda user_id: f"hash of {user_id}")


@pytest.fixture
def streamctl(operator: Operator) -> Streamctl:
    """A runner of commands: it returns the exit code, and the lines as JSON objects."""

    def command(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
        out = io.StringIO()
        code = run(operator, [*arguments, "--json"], out, io.StringIO())
        return code, [json.loads(line) for line in out.getvalue().splitlines()]

    return command


@pytest.fixture
def limiter(operator: Operator) -> StreamLimiter:
    """Return the service over the same table."""
    return StreamLimiter(operator.repository, operator.clock, operator.policy)


def break_count(client: Any, table: str, user_id: str, off_by: int) -> None:
    """Make a user's count wrong, as no write of the service does."""
    client.update_item(
        TableName=table,
        Key=key(user_id),
        UpdateExpression="ADD streamCount :by",
        ExpressionAttributeValues={":by": number(off_by)},
    )


def test_show_lists_the_streams_that_hold_the_slots(streamctl: Streamctl, limiter: StreamLimiter) -> None:
    """`show` lists named streams one by one, and anonymous ones by their number."""
    limiter.start(StartNamed("u", "tv", 3, "living room"))
    limiter.start(StartAnonymous("u", "r", 3))
    code, (user, stream) = streamctl("show", "u")
    assert code == 0
    assert (user["liveCount"], user["storedCount"], user["anonymousCount"]) == (2, 2, 1)
    assert (stream["streamId"], stream["device"], stream["live"]) == ("tv", "living room", True)


def test_show_marks_expired_slots(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """An expired slot is shown as taken, and not as live."""
    limiter.start(StartNamed("u", "tv", 3))
    expire(emulator_client, table, "u", "tv")
    _, (user, stream) = streamctl("show", "u")
    assert (user["liveCount"], user["storedCount"], stream["live"]) == (0, 1, False)


def test_show_and_audit_report_spent_tokens(
    streamctl: Streamctl, operator: Operator, emulator_client: Any, table: str
) -> None:
    """Both show when an ended stream's last token expires, and which names are counted wrongly."""
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
        ExpressionAttributeValues={":name": strings(["stranger"])},
    )
    code, (finding, _) = streamctl("audit")
    assert (code, finding["miscountedNames"], finding["spentTokens"]) == (0, ["stranger"], [])
    assert streamctl("audit", "--repair")[1][0]["repaired"]
    assert streamctl("audit")[1] == [{"users": 1, "found": 0, "repaired": 0}]


def test_groups_are_shown_ended_and_recounted(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """Groups of streams and users are shown, an end frees their slots, and an audit finds wrong counts."""
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
    """An end of one stream prints that, or that the stream did not exist."""
    limiter.start(StartNamed("u", "tv", 3))
    limiter.start(StartNamed("u", "phone", 3))
    assert streamctl("end", "u", "tv")[1] == [{"userId": "u", "streamId": "tv", "ended": 1}]
    assert streamctl("end", "u", "tv")[1] == [{"userId": "u", "streamId": "tv", "ended": 0}]
    assert streamctl("show", "u")[1][0]["storedCount"] == 1


@pytest.mark.parametrize("ends", [("u", "tv"), ("u",)], ids=["one stream", "all streams"])
def test_an_end_without_the_playback_key_leaves_the_token_counted(
    streamctl: Streamctl, operator: Operator, ends: tuple[str, ...]
) -> None:
    """Ends by a command without the stage's key give no name beyond the token bound a token."""
    limiter = StreamLimiter(operator.repository, operator.clock, Policy(token_overlap=1))
    limiter.start(StartNamed("u", "tv", 1))
    assert streamctl("end", *ends)[1][0]["ended"] == 1
    limiter.start(StartNamed("u", "pc", 1))
    assert streamctl("end", "u", "pc")[1][0]["ended"] == 1
    with pytest.raises(TooManyStarts):
        limiter.start(StartNamed("u", "phone", 1))


def test_end_frees_a_whole_user(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """An end of all streams covers named and anonymous ones, and repairs a wrong count."""
    limiter.start(StartNamed("u", "tv", 3))
    limiter.start(StartAnonymous("u", "r", 3))
    break_count(emulator_client, table, "u", 5)
    assert streamctl("end", "u") == (0, [{"userId": "u", "streamId": None, "ended": 2}])
    assert streamctl("show", "u")[1][0]["storedCount"] == 0
    assert limiter.start(StartNamed("u", "tv", 1)).lease


def test_an_audit_of_a_sound_table_finds_nothing(streamctl: Streamctl, limiter: StreamLimiter) -> None:
    """An audit reads every user of a sound table, and reports none."""
    for n in range(5):
        limiter.start(StartNamed(f"u{n}", "tv", 3))
    assert streamctl("audit") == (0, [{"users": 5, "found": 0, "repaired": 0}])


@pytest.mark.parametrize("off_by", [-2, 1])
def test_an_audit_finds_and_on_request_repairs_a_wrong_count(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str, off_by: int
) -> None:
    """A wrong count makes the exit code fail until it is repaired."""
    limiter.start(StartNamed("sound", "tv", 3))
    limiter.start(StartNamed("broken", "tv", 3))
    break_count(emulator_client, table, "broken", off_by)
    code, (finding, total) = streamctl("audit")
    assert (code, finding["userId"], finding["miscount"], total["found"]) == (1, "broken", off_by, 1)
    code, (finding, total) = streamctl("audit", "--repair")
    assert (code, finding["repaired"], total["repaired"]) == (0, True, 1)
    assert streamctl("audit") == (0, [{"users": 2, "found": 0, "repaired": 0}])
    assert streamctl("show", "broken")[1][0]["storedCount"] == 1


def test_an_audit_finds_and_on_request_clears_expired_slots(
    streamctl: Streamctl, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """Expired slots are ordinary, so the exit code stays zero; they are cleared on request."""
    limiter.start(StartNamed("u", "tv", 3))
    limiter.start(StartNamed("u", "phone", 3))
    expire(emulator_client, table, "u", "tv")
    code, (finding, _) = streamctl("audit")
    assert (code, finding["expiredStreams"], finding["repaired"]) == (0, ["tv"], False)
    streamctl("audit", "--repair")
    assert [line.get("streamId") for line in streamctl("show", "u")[1]] == [None, "phone"]


def test_a_repair_keeps_a_stream_that_started_meanwhile(
    operator: Operator, limiter: StreamLimiter, emulator_client: Any, table: str
) -> None:
    """A stream that starts between the audit's read and the repair stays, and is counted."""
    limiter.start(StartNamed("u", "tv", 3))
    break_count(emulator_client, table, "u", 1)
    now = operator.clock.now()

    class Meanwhile:
        """A census that lets another stream start after the read."""

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
    ("arguments", "message"),
    [
        (["show", " "], "must not be blank"),
        (["end", "u", "a/b"], "must be 1 to 64 characters"),
        ([], "required"),
    ],
)
def test_wrong_arguments_are_explained(
    operator: Operator, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """An operator's arguments follow the same rules as a player's texts, and the error is in words."""
    with pytest.raises(SystemExit) as exit_:
        run(operator, arguments, io.StringIO(), io.StringIO())
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_hash_prints_the_user_and_its_hash(streamctl: Streamctl) -> None:
    """The output has the user and the hash by their names, for scripts."""
    assert streamctl("hash", "u") == (0, [{"userId": "u", "user": "hash of u"}])


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it as a command, with AWS credentials and these variables; an empty one is unset."""
    given = {
        **{name: value for name, value in os.environ.items() if name.startswith(("AWS_", "PATH"))},
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
        "AWS_EC2_METADATA_DISABLED": "true",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "entrypoints.streamctl", *arguments],
        env={name: value for name, value in given.items() if value},
        capture_output=True,
        text=True,
        check=False,
    )


def test_streamctl_runs_as_a_command(limiter: StreamLimiter, emulator_client: Any, table: str) -> None:
    """With a table in TABLE_NAME it prints for people; without one it names what is missing."""
    limiter.start(StartNamed("u", "tv", 3, "living room"))
    endpoint = emulator_client.meta.endpoint_url
    shown = command("show", "u", AWS_ENDPOINT_URL=endpoint, TABLE_NAME=table)
    assert shown.returncode == 0
    assert "u: 1 live, 1 slots taken, 0 of them anonymous" in shown.stdout
    assert "tv  living room  since" in shown.stdout
    refused = command("show", "u", AWS_ENDPOINT_URL=endpoint)
    assert refused.returncode == 1
    assert refused.stderr == "streamctl: TABLE_NAME is required.\n"


@pytest.mark.parametrize(
    ("variables", "printed"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1/"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "Partial credentials found"),
        ({"AWS_DEFAULT_REGION": ""}, "streamctl: The AWS region is missing: set AWS_REGION.\n"),
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "streamctl: AWS credentials are missing: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or log in.\n",
        ),
    ],
    ids=["nothing listens", "half of the credentials", "no region", "no credentials"],
)
def test_a_failed_calls_reason_is_printed(variables: dict[str, str], printed: str, tmp_path: Path) -> None:
    """The error has the SDK's own text, which no caller of the service sees, or what to set."""
    failed = command("show", "u", TABLE_NAME="streams", HOME=str(tmp_path), **variables)
    assert failed.returncode == 1
    assert failed.stderr.startswith("streamctl: ")
    assert printed in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["audit", "--help"]])
def test_help_works_without_configuration(arguments: list[str], tmp_path: Path) -> None:
    """Help works without a table, a region and credentials."""
    unset = dict.fromkeys([name for name in os.environ if name.startswith("AWS_")], "")
    shown = command(*arguments, HOME=str(tmp_path), **unset)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("usage: streamctl ")


@pytest.mark.parametrize("kept_in", ["setting", "parameter"])
def test_hash_matches_the_events(kept_in: str, localstack: Any) -> None:
    """The key is read from the settings, or from the parameter that they name."""
    endpoint = localstack.client("dynamodb").meta.endpoint_url
    key = {"LOG_HASH_KEY": "pepper"}
    if kept_in == "parameter":
        name = f"/hash-key-{uuid.uuid4().hex[:8]}"
        localstack.client("ssm").put_parameter(Name=name, Value="pepper", Type="SecureString")
        key = {"LOG_HASH_KEY_PARAMETER": name}

    shown = command("hash", "u", AWS_ENDPOINT_URL=endpoint, TABLE_NAME="streams", **key)

    assert shown.stdout == EventLog(LogLevel.INFO, SecretStr("pepper")).user_hash("u") + "\n"


def test_aws_region_precedes_aws_default_region(localstack: Any) -> None:
    """AWS_REGION precedes AWS_DEFAULT_REGION, as in Terraform and other SDKs; boto3 alone ignores it."""
    endpoint = localstack.client("dynamodb").meta.endpoint_url
    name = f"/hash-key-{uuid.uuid4().hex[:8]}"
    north = boto3.Session("test", "test", region_name="eu-north-1").client("ssm", endpoint_url=endpoint)
    north.put_parameter(Name=name, Value="pepper", Type="SecureString")
    key = {"AWS_ENDPOINT_URL": endpoint, "TABLE_NAME": "streams", "LOG_HASH_KEY_PARAMETER": name}

    assert command("hash", "u", AWS_REGION="eu-north-1", **key).returncode == 0
    assert "ParameterNotFound" in command("hash", "u", **key).stderr


@pytest.mark.parametrize(
    ("variables", "printed"),
    [
        (
            {},
            "A user has no common hash: each process has a random key. Set log_hash_key_parameter and deploy",
        ),
        ({"LOG_HASH_KEY_PARAMETER": "/not-there"}, "ParameterNotFound"),
    ],
    ids=["no key", "no parameter"],
)
def test_without_a_common_key_there_is_no_hash(
    variables: dict[str, str], printed: str, localstack: Any
) -> None:
    """Without a common key no hash is printed, because it would match no event, or another user's."""
    endpoint = localstack.client("dynamodb").meta.endpoint_url
    failed = command("hash", "u", AWS_ENDPOINT_URL=endpoint, TABLE_NAME="streams", **variables)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("streamctl: ")
    assert printed in failed.stderr
