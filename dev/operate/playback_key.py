"""`make playback-key`: show, create, rotate or revoke a stage's playback keys; set its edge's mode and paths.

The keys are in an SSM parameter, which the service reads, and in the KeyValueStore of the edge. No secret is
printed or passed as an argument. AWS's errors are reported by code, as their messages may quote a value.
"""

import json
import os
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from adapters.playback_keys import MAX_KEYS, PlaybackKey, parse_keys
from dev.operate.deploy import chosen_stage
from dev.operate.rotation import (
    READ_AFTER_SECONDS,
    Placement,
    Step,
    introduction,
    made_at,
    name_of,
    next_step,
)
from dev.operate.stage import StackError, deployed_settings, function_name, region
from dev.tools.command import words
from entrypoints.groups import parse_paths

CONFIG: Final = "config"
"""The key in the KeyValueStore whose value the edge reads."""

MAX_CONFIG_BYTES: Final = 1024
"""https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/kvs-with-functions-create-s3-kvp.html"""

MODES: Final = ("off", "log", "enforce")
"""The modes of the edge, in the order of a roll-out."""

FIRST_CONFIG: Final = {"mode": "off"}
"""The first step of a roll-out: the edge has keys, but refuses nothing yet."""

PROGRESS_SECONDS: Final = 60
SECRET_BYTES: Final = 32
LONGEST_KEYS: Final = {f"{number:016}": "x" * 43 for number in range(MAX_KEYS)}
"""The maximum size of the keys in `config`, in the middle of a rotation."""


class KeysError(Exception):
    """The keys are in an unusable state; the message says what to do, without any value."""


@dataclass(frozen=True)
class Parameter:
    """The SSM parameter that the service reads.

    Attributes:
        kms_key: the KMS key for a new parameter; `None` = AWS's own for SSM.
    """

    ssm: Any
    name: str
    kms_key: str | None = None

    def read(self) -> tuple[list[PlaybackKey], float, float]:
        """Return the keys, the time of the last write, and AWS's time, both in epoch seconds."""
        try:
            answer = self.ssm.get_parameter(Name=self.name, WithDecryption=True)
        except self.ssm.exceptions.ParameterNotFound as absent:
            return [], 0.0, _date(absent.response)
        found = answer["Parameter"]
        return [*parse_keys(found["Value"])], found["LastModifiedDate"].timestamp(), _date(answer)

    def write(self, keys: Sequence[PlaybackKey]) -> None:
        """Write these keys, encrypted with the parameter's present KMS key."""
        value = _checked(keys)
        named = {"Key": "Name", "Option": "Equals", "Values": [self.name]}
        described = self.ssm.describe_parameters(ParameterFilters=[named])["Parameters"]
        kms_key = described[0].get("KeyId") if described else self.kms_key
        under = {"KeyId": kms_key} if kms_key else {}  # an overwritten parameter would otherwise lose its key
        self.ssm.put_parameter(Name=self.name, Value=value, Type="SecureString", Overwrite=True, **under)


@dataclass(frozen=True)
class Edge:
    """The KeyValueStore that the edge reads."""

    kvs: Any
    arn: str

    def read(self) -> list[PlaybackKey]:
        """Return the keys."""
        keys = self._config().get("keys") or {}
        return [*parse_keys(",".join(f"{kid}:{secret}" for kid, secret in keys.items()))] if keys else []

    def mode(self) -> str:
        """Return the edge's mode, which decides about requests without a token."""
        return str(self._config().get("mode", "none: every request is refused"))

    def write(self, keys: Sequence[PlaybackKey]) -> None:
        """Write these keys, and leave everything else unchanged."""
        _checked(keys)
        self._change("keys", {key.kid: _text(key) for key in keys})

    def set_mode(self, mode: str) -> None:
        """Set the mode, and leave everything else unchanged."""
        self._change("mode", mode)

    def paths(self) -> Mapping[str, str]:
        """Return the group that a token needs under each path prefix."""
        return dict(self._config().get("paths") or {})

    def set_paths(self, paths: Mapping[str, str]) -> None:
        """Set the groups that these path prefixes need, and leave everything else unchanged.

        Raises:
            KeysError: they would leave no room for a rotation.
        """
        largest = {**self._config(), "mode": max(MODES, key=len), "keys": LONGEST_KEYS, "paths": dict(paths)}
        over = len(_value(largest)) - MAX_CONFIG_BYTES
        if over > 0:
            raise KeysError(
                f"`config` would exceed {MAX_CONFIG_BYTES} bytes by {over} in a rotation, with {MAX_KEYS}"
                " keys: use fewer or shorter paths in group_paths."
            )
        self._change("paths", dict(paths))

    def _change(self, name: str, content: object) -> None:
        """Change one member of `config`; fail if anything has changed in the meantime."""
        version = self.kvs.describe_key_value_store(KvsARN=self.arn)["ETag"]
        config = {**(self._config() or FIRST_CONFIG), name: content}
        value = _value(config)
        if len(value) > MAX_CONFIG_BYTES:
            raise KeysError(f"`config` would be above {MAX_CONFIG_BYTES} bytes: remove paths from it first.")
        self.kvs.put_key(KvsARN=self.arn, Key=CONFIG, Value=value.decode(), IfMatch=version)

    def _config(self) -> dict[str, Any]:
        try:
            value = self.kvs.get_key(KvsARN=self.arn, Key=CONFIG)["Value"]
        except self.kvs.exceptions.ResourceNotFoundException:
            return {}
        try:
            config = json.loads(value)
        except ValueError:
            config = None
        if not isinstance(config, dict):
            raise KeysError("`config` in the KeyValueStore is not a JSON object: repair or delete it first.")
        return config


@dataclass(frozen=True)
class Stage:
    """The stores of a stage's keys.

    Attributes:
        edge: `None` if CloudFront does not check its tokens.
        group_paths: the group of each path prefix, in the settings of the stage's functions.
    """

    parameter: Parameter
    edge: Edge | None
    group_paths: Mapping[str, str] = field(default_factory=dict)

    def read(self) -> tuple[Placement, float]:
        """Return where the keys are, and AWS's time in epoch seconds."""
        keys, written_at, now = self.parameter.read()
        return Placement(keys, self.edge.read() if self.edge else None, written_at), now

    def take(self, step: Step) -> None:
        """Take this step."""
        if step.service is not None:
            self.parameter.write(step.service)
        elif self.edge is not None and step.edge is not None:
            self.edge.write(step.edge)


def rotate(stage: Stage, report: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> None:
    """Introduce a new key, or continue an interrupted rotation; return when no step is left."""
    placement, now = stage.read()
    if next_step(placement, now) is None:
        _take(stage, introduction(placement, _new_key(placement, now)), report)
        placement, now = stage.read()
    while step := next_step(placement, now):
        if (left := step.not_before - now) > 0:
            report(f"In {_span(left)}: {step.effect}. Ctrl-C is safe: the same command continues later.")
            sleep(min(left, PROGRESS_SECONDS))
        else:
            _take(stage, step, report)
        placement, now = stage.read()  # read again: another rotation may be running
    if placement.newest:
        report(f"Done: {placement.newest.kid} signs, and no other key is known.")


def revoke(stage: Stage, report: Callable[[str], None]) -> None:
    """Replace every key by a new one immediately, which interrupts the viewers."""
    placement, now = stage.read()
    key = _new_key(placement, now)
    if stage.edge:
        _take(stage, Step(f"the edge knows only {key.kid}", edge=[key]), report)
    _take(stage, Step(f"the service knows only {key.kid}", service=[key]), report)
    minutes = READ_AFTER_SECONDS // 60
    report(f"Every function reads it within {minutes} minutes; players need another heartbeat after that.")


def set_mode(stage: Stage, report: Callable[[str], None], mode: str) -> None:
    """Set the edge's mode; `enforce` requires that the edge knows the service's keys and paths.

    The other modes skip that check, which needs SSM: video can be opened while SSM is unavailable.
    """
    if stage.edge is None:
        raise KeysError("A mode belongs to an edge: name the edge with KVS_ARN=….")
    if mode == "enforce":
        placement, _ = stage.read()
        if not placement.service or any(key not in (placement.edge or ()) for key in placement.service):
            raise KeysError(
                "The edge lacks a key of the service, and would refuse all viewers: run ARGS=rotate first."
            )
        if stage.edge.paths() != stage.group_paths:
            raise KeysError("The edge does not have the stage's group_paths: run ARGS=paths first.")
    stage.edge.set_mode(mode)
    report(f"The edge's mode is now {mode}.")


def set_paths(stage: Stage, report: Callable[[str], None]) -> None:
    """Copy the group paths of the stage's functions to the edge."""
    if stage.edge is None:
        raise KeysError("Paths belong to an edge: name the edge with KVS_ARN=….")
    stage.edge.set_paths(stage.group_paths)
    for prefix, group in stage.group_paths.items():
        report(f"{prefix} now needs the group {group}.")
    if not stage.group_paths:
        report("No path needs a group now.")


def show(stage: Stage, report: Callable[[str], None]) -> None:
    """Print the keys' names and ages, the edge's paths, and the next step of a rotation in progress."""
    placement, now = stage.read()
    report(f"{stage.parameter.name}: {'' if placement.service else 'no keys'}")
    for place, key in enumerate(placement.service):
        report(f"  {key.kid}  {_age(key, now)}, {'verifies' if place else 'signs'}")
    if stage.edge and placement.edge is not None:
        report(f"{stage.edge.arn}, mode {stage.edge.mode()}: {'' if placement.edge else 'no keys'}")
        for key in placement.edge:
            report(f"  {key.kid}  {_age(key, now)}")
        paths = stage.edge.paths()
        for prefix, group in paths.items():
            report(f"  {prefix}  needs the group {group}")
        if paths != stage.group_paths:
            report("The stage's group_paths differ: ARGS=paths copies them to the edge.")
    if step := next_step(placement, now):
        report(f"A rotation is in progress: ARGS=rotate continues it. Next: {step.effect}.")


def chosen() -> Stage:
    """Return the stores of STAGE's keys; KVS_ARN names the edge's, KMS_KEY_ARN the key for a new parameter.

    Raises:
        StackError: a variable is missing.
    """
    stage, where = chosen_stage(), region()
    arn = os.environ.get("KVS_ARN")
    if not arn:
        raise StackError(
            "Which edge checks the tokens? Set KVS_ARN=… to the output key_value_store_arn of terraform/edge,"
            " or KVS_ARN=none if CloudFront checks no tokens."
        )
    settings = deployed_settings(stage, where)
    name = settings.get("PLAYBACK_KEY_PARAMETER") or f"/{function_name(stage, 'playback-key')}"
    parameter = Parameter(boto3.client("ssm", region_name=where), name, os.environ.get("KMS_KEY_ARN") or None)
    if arn == "none":
        return Stage(parameter, None)
    edge = Edge(boto3.client("cloudfront-keyvaluestore", region_name=where), arn)
    return Stage(parameter, edge, parse_paths(settings.get("GROUP_PATHS", "")))


def _take(stage: Stage, step: Step, report: Callable[[str], None]) -> None:
    stage.take(step)
    report(f"Now {step.effect}.")


def _new_key(placement: Placement, now: float) -> PlaybackKey:
    """Return a new key, whose name is later than all others even within the same second."""
    newest = placement.newest
    before = (made_at(newest.kid) if newest else None) or 0.0
    return PlaybackKey(name_of(max(now, before + 1)), secrets.token_bytes(SECRET_BYTES))


def _checked(keys: Sequence[PlaybackKey]) -> str:
    """Return the keys as text, after checking that the service and this command can read it.

    Raises:
        ValueError: there are too many.
    """
    text = ",".join(f"{key.kid}:{_text(key)}" for key in keys)
    parse_keys(text)
    return text


def _value(config: Mapping[str, Any]) -> bytes:
    return json.dumps(config, separators=(",", ":")).encode()


def _text(key: PlaybackKey) -> str:
    return urlsafe_b64encode(key.secret).decode().rstrip("=")


def _date(answer: Any) -> float:
    """Return the time of AWS's answer: a wait must not depend on this machine's clock."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()


def _age(key: PlaybackKey, now: float) -> str:
    made = made_at(key.kid)
    return "of unknown age" if made is None else f"{_span(now - made)} old"


def _span(seconds: float) -> str:
    minutes = int(seconds) // 60
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days"
    return f"{minutes} min {int(seconds) % 60} s"


COMMANDS: Final[dict[str, Callable[[Stage, Callable[[str], None]], None]]] = {
    "show": show,
    "rotate": rotate,
    "revoke": revoke,
    "paths": set_paths,
    **{mode: partial(set_mode, mode=mode) for mode in MODES},
}


VARIABLES = {
    "STAGE": "the stage, dev by default",
    "KVS_ARN": "the ARN of the edge's KeyValueStore, or none",
    "KMS_KEY_ARN": "the KMS key for a new parameter, by default AWS's own for SSM",
    "AWS_REGION": "the region, by default the AWS profile's",
}


def main(arguments: Sequence[str]) -> int:
    """Run one command, by default `show`."""
    command = COMMANDS.get(arguments[0] if arguments else "show")
    if command is None or len(arguments) > 1:
        print(f"usage: make playback-key STAGE=… KVS_ARN=… [ARGS={'|'.join(COMMANDS)}]", file=sys.stderr)
        return 2
    try:
        command(chosen(), lambda line: print(line, flush=True))
    except ClientError as error:
        print(f"{error.operation_name}: {error.response['Error']['Code']}", file=sys.stderr)
        return 1
    except (StackError, KeysError, BotoCoreError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. The same command continues.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    one_of = f"one of {', '.join(COMMANDS)}; show by default"
    sys.exit(main(words("playback-key", __doc__, VARIABLES, takes=one_of)))
