"""The operator's command line: `python -m entrypoints.streamctl show | end | audit | hash`.

It works on the table that TABLE_NAME names, with the operator's AWS credentials and the service's settings
from the environment; `make streamctl` takes both from a stage. It exits with 1 if a state is inconsistent.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from pydantic import SecretStr

from adapters.aws.api import aws_api
from adapters.aws.errors import ApiError
from adapters.aws.sdk import account_region
from adapters.clock import SystemClock
from adapters.dynamodb.census import DynamoDbCensus
from adapters.parameter_store import ParameterUnavailable, parameter
from adapters.store_calls import StoreCalls
from domain import audit, group_counts
from domain.errors import InvalidInput, StoreContended, StoreError
from domain.limiter import DEADLINE_SECONDS, StreamLimiter
from domain.names import check_stream_id, check_user_id
from domain.operators import EndStreams, end_streams
from domain.policy import Policy
from domain.ports import Census, Clock, Deadline, StreamRepository
from entrypoints import bootstrap
from entrypoints.event_log import EventLog
from entrypoints.settings import Settings, SettingsError

PROGRESS_WIDTH: Final = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a command's result.

    Attributes:
        record: the line for machines (`--json`).
        text: the line for people.
        is_ok: false if the line reports an inconsistency or a failure.
    """

    record: dict[str, Any]
    text: str
    is_ok: bool = True


@dataclass(frozen=True, slots=True)
class Operator:
    """The commands, over the service's own ports.

    Attributes:
        repository: the users' streams.
        census: all users.
        clock: the current time.
        policy: the behaviour of the service.
        user_hash: returns the hash of a user in events.
    """

    repository: StreamRepository
    census: Census
    clock: Clock
    policy: Policy
    user_hash: Callable[[str], str]

    def show(self, user_id: str) -> Iterator[Line]:
        """Yield everything that is stored about a user, including expired slots."""
        state = self.repository.read(user_id, self._deadline())
        live = self.policy.live(state, self.clock.now())
        finding = audit.examine(state, self.policy, self.clock.now())
        groups = group_counts.counts(state)
        yield Line(
            {
                "userId": user_id,
                "liveCount": live.count,
                "storedCount": state.stream_count,
                "anonymousCount": state.anonymous.count,
                "anonymousExpiresAt": _time(state.anonymous.expires_at),
                "groupCounts": groups,
            },
            f"{user_id}: {live.count} live, {state.stream_count} slots taken, "
            f"{state.anonymous.count} of them anonymous"
            + "".join(f", {count} in {group}" for group, count in groups.items()),
            is_ok=finding is None or finding.is_minor,
        )
        for lease in sorted(state.leases.values(), key=lambda lease: lease.started_at):
            is_live = lease in live.leases
            yield Line(
                {
                    "streamId": lease.stream_id,
                    "device": lease.device,
                    "startedAt": _time(lease.started_at),
                    "expiresAt": _time(lease.expires_at),
                    "live": is_live,
                    "groups": list(lease.groups),
                },
                f"  {lease.stream_id}  {lease.device or '-'}  since {_time(lease.started_at)}, "
                f"{'until' if is_live else 'expired since'} {_time(lease.expires_at)}"
                + "".join(f", in {group}" for group in lease.groups),
            )
        for name, until in sorted(state.spent.items()):
            yield Line(
                {"streamId": name, "tokenExpiresAt": _time(until)},
                f"  {name}  ended, its last playback token expires {_time(until)}",
            )

    def end(self, user_id: str, stream_id: str | None) -> Iterator[Line]:
        """End one stream of a user, or all of them."""
        limiter = StreamLimiter(self.repository, self.clock, self.policy)
        try:
            answer = end_streams(limiter, EndStreams(user_id, stream_id))
            ended = len(answer.ended) + answer.ended_anonymous
        except StoreContended:
            ended = None
        yield Line(
            {"userId": user_id, "streamId": stream_id, "ended": ended},
            f"{user_id}: {'the state kept changing, try again' if ended is None else f'{ended} ended'}",
            is_ok=ended is not None,
        )

    def audit(self, progress: TextIO, *, repair: bool) -> Iterator[Line]:
        """Yield every user whose state is inconsistent or has expired parts, and repair it if requested."""
        users = found = repaired = 0
        total = self.census.estimate()
        for users, (user_id, state) in enumerate(self.census.states(), start=1):
            _show_progress(progress, users, total)
            finding = audit.examine(state, self.policy, self.clock.now())
            if finding is None:
                continue
            found += 1
            is_repaired = repair and audit.repair(
                self.repository, user_id, self.policy, self.clock.now(), self._deadline()
            )
            repaired += is_repaired
            expired = finding.expired
            yield Line(
                {
                    "userId": user_id,
                    "miscount": finding.miscount,
                    "expiredStreams": [lease.stream_id for lease in expired.expired],
                    "expiredAnonymous": expired.anonymous.count,
                    "miscountedNames": list(finding.miscounted_names),
                    "spentTokens": list(finding.spent),
                    "miscountedGroups": list(finding.miscounted_groups),
                    "repaired": is_repaired,
                },
                f"{user_id}: count off by {finding.miscount}, {len(expired.expired)} expired streams, "
                f"{expired.anonymous.count} expired anonymous, "
                f"{len(finding.miscounted_names)} miscounted names, {len(finding.spent)} spent tokens, "
                f"{len(finding.miscounted_groups)} miscounted groups"
                f"{', repaired' if is_repaired else ''}",
                is_ok=is_repaired or finding.is_minor,
            )
        yield Line(
            {"users": users, "found": found, "repaired": repaired},
            f"{users} users, {found} inconsistent or expired, {repaired} repaired",
        )

    def hash(self, user_id: str) -> Iterator[Line]:
        """Yield the hash of a user in events."""
        user = self.user_hash(user_id)
        yield Line({"userId": user_id, "user": user}, user)

    def _deadline(self) -> Deadline:
        return Deadline.after(DEADLINE_SECONDS, self.clock)


def run(operator: Operator, arguments: Sequence[str], out: TextIO, progress: TextIO) -> int:
    """Run one command and return the exit code: 1 if a line reports an inconsistency or a failure."""
    options = parse(arguments)
    match options.command:
        case "show":
            lines = operator.show(options.user)
        case "end":
            lines = operator.end(options.user, options.stream)
        case "hash":
            lines = operator.hash(options.user)
        case _:
            lines = operator.audit(progress, repair=options.repair)
    is_ok = True
    for line in lines:
        print(json.dumps(line.record) if options.json else line.text, file=out, flush=True)
        is_ok = is_ok and line.is_ok
    return 0 if is_ok else 1


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments. Exit with the help, or with an error about them."""
    return _parser().parse_args(arguments)


def main() -> None:
    """Run the command that the process was started with."""
    parse(sys.argv[1:])  # the help and wrong arguments need no table and no credentials
    try:
        os.environ["AWS_DEFAULT_REGION"] = account_region()
        settings = Settings.from_environment()
        operator = Operator(
            bootstrap.dynamodb_repository(settings, StoreCalls()),
            DynamoDbCensus.of_table(settings.table_name),
            SystemClock(),
            settings.policy,
            lambda user_id: common_log(settings).user_hash(user_id),
        )
        sys.exit(run(operator, sys.argv[1:], sys.stdout, sys.stderr))
    except (SettingsError, StoreError, ParameterUnavailable, ApiError) as error:
        sys.exit(f"streamctl: {error}{_innermost_cause(error)}")


def common_log(settings: Settings) -> EventLog:
    """Return a log that hashes users under the common key of the service's processes.

    Raises:
        SettingsError: the settings name no common key.
        ParameterUnavailable: the parameter with the key could not be read.
    """
    key = settings.log_hash_key
    if name := settings.log_hash_key_parameter:
        key = SecretStr(parameter(name, aws_api("ssm", settings.store_client)))
    if not key.get_secret_value():
        raise SettingsError(
            "A user has no common hash: each process has a random key. Set log_hash_key_parameter and deploy;"
            " or name the key by LOG_HASH_KEY_PARAMETER or LOG_HASH_KEY."
        )
    return EventLog(settings.log_level, key)


def _innermost_cause(error: BaseException) -> str:
    """Return the innermost cause, which only an operator may read: it can name principals and addresses."""
    cause = error
    while cause.__cause__:
        cause = cause.__cause__
    return "" if cause is error else f": {cause}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamctl", description="Inspect and repair users' streams.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object per line")
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", parents=[common], help="show everything that is stored about a user")
    show.add_argument("user", type=_checked(check_user_id))
    end = commands.add_parser("end", parents=[common], help="end a stream of a user, or all of them")
    end.add_argument("user", type=_checked(check_user_id))
    end.add_argument("stream", nargs="?", type=_checked(check_stream_id))
    hash_command = commands.add_parser("hash", parents=[common], help="show the hash of a user in events")
    hash_command.add_argument("user", type=_checked(check_user_id))
    audit_command = commands.add_parser("audit", parents=[common], help="find inconsistent and expired state")
    audit_command.add_argument("--repair", action="store_true", help="repair it")
    return parser


def _checked(check: Any) -> Any:
    def convert(text: str) -> str:
        try:
            checked: str = check(text)
        except InvalidInput as error:
            raise argparse.ArgumentTypeError(error.reason) from None
        return checked

    return convert


def _show_progress(out: TextIO, done: int, total: int) -> None:
    """Show the progress in one changing line, on a terminal only."""
    if out.isatty():
        total = max(total, done)  # the store's count may be hours old
        bar = "█" * (PROGRESS_WIDTH * done // total)
        out.write(f"\r{bar:·<{PROGRESS_WIDTH}} {done}/{total} users{'' if done < total else chr(10)}")
        out.flush()


def _time(epoch_seconds: int | None) -> str | None:
    if epoch_seconds is None:
        return None
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    main()
