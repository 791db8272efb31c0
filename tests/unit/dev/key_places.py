"""Stand-ins for the two places of a stage's playback keys, with a clock; calls can be interrupted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any, Final

from botocore.exceptions import ClientError

from adapters.playback_keys import PlaybackKey, parse_keys
from dev.operate.playback_key import Edge, Parameter, Stage
from tests.edge.tokens import key_text

PARAMETER: Final = "/stream-limiter-test-playback-key"
STORE: Final = "arn:aws:cloudfront::123456789012:key-value-store/11111111-2222-3333-4444-555555555555"
OPENED_AT: Final = datetime(2026, 11, 25, 18, tzinfo=UTC).timestamp()


class Interrupted(Exception):
    """The operator's machine stopped in the middle of a call or of a wait."""


def silent(_: str) -> None:
    """Print nothing."""


def text_of(keys: Sequence[PlaybackKey]) -> str:
    """Return the keys as the parameter holds them."""
    return ",".join(f"{key.kid}:{key_text(key)}" for key in keys)


@dataclass
class Places:
    """An SSM parameter and a KeyValueStore, with the history of their values."""

    now: float = OPENED_AT
    parameter: str | None = None
    written_at: float = OPENED_AT
    config: Any = None
    has_edge: bool = True
    group_paths: dict[str, str] = field(default_factory=dict)
    """The parameter's name in the settings of the functions."""
    kms_key: str = "alias/aws/ssm"
    version: int = 1
    calls_left: int | None = None
    """The number of calls and waits that succeed before one is interrupted; `None` = all."""
    takes_effect: bool = True
    """True if the interrupted call takes effect all the same."""
    history: list[tuple[float, list[PlaybackKey]]] = field(default_factory=list)
    """The parameter's values, each with the moment it began."""

    exceptions = SimpleNamespace(ParameterNotFound=ClientError, ResourceNotFoundException=ClientError)

    def stage(self) -> Stage:
        """Return the stage whose keys are here."""
        return Stage(
            Parameter(self, PARAMETER), Edge(self, STORE) if self.has_edge else None, self.group_paths
        )

    @property
    def service(self) -> list[PlaybackKey]:
        """Return the keys in the parameter."""
        return [*parse_keys(self.parameter)] if self.parameter else []

    @property
    def edge(self) -> list[PlaybackKey]:
        """Return the keys in the KeyValueStore."""
        keys = (self.config or {}).get("keys", {})
        return [*parse_keys(",".join(map(":".join, keys.items())))] if keys else []

    def changed(self) -> None:
        """Called after each write that takes effect."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self._end_of_call()

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> Any:  # noqa: N803 - the names of AWS
        """Return the parameter."""
        assert (Name, WithDecryption) == (PARAMETER, True)
        self._end_of_call()
        if self.parameter is None:
            raise ClientError(self._answered(Error={"Code": "ParameterNotFound"}), "GetParameter")
        written = datetime.fromtimestamp(self.written_at, UTC)
        return self._answered(Parameter={"Value": self.parameter, "LastModifiedDate": written})

    def describe_parameters(self, *, ParameterFilters: Any) -> Any:  # noqa: N803 - the SDK's own names
        """Return the parameter's description."""
        assert [one["Values"] for one in ParameterFilters] == [[PARAMETER]]
        self._end_of_call()
        return {"Parameters": [] if self.parameter is None else [{"KeyId": self.kms_key}]}

    def put_parameter(self, *, Name: str, Value: str, Type: str, Overwrite: bool, **more: str) -> None:  # noqa: N803 - the SDK's own names
        """Write the parameter; without a key of its own it is under AWS's."""
        assert (Name, Type, Overwrite) == (PARAMETER, "SecureString", True)
        if self._begin_call():
            self.parameter, self.written_at = Value, self.now
            self.kms_key = more.get("KeyId", "alias/aws/ssm")
            self.history.append((self.now, self.service))
            self.changed()
        self._end_of_call()

    def describe_key_value_store(self, *, KvsARN: str) -> Any:  # noqa: N803 - the SDK's own names
        """Return the version of the store."""
        assert KvsARN == STORE
        self._end_of_call()
        return {"ETag": str(self.version)}

    def get_key(self, *, KvsARN: str, Key: str) -> Any:  # noqa: N803 - the SDK's own names
        """Return a value of the store."""
        assert (KvsARN, Key) == (STORE, "config")
        self._end_of_call()
        if self.config is None:
            raise ClientError(self._answered(Error={"Code": "ResourceNotFoundException"}), "GetKey")
        return {"Value": json.dumps(self.config)}

    def put_key(self, *, KvsARN: str, Key: str, Value: str, IfMatch: str) -> None:  # noqa: N803 - the SDK's own names
        """Write a value of the store, if its version is the one that was read."""
        assert (KvsARN, Key) == (STORE, "config")
        if IfMatch != str(self.version):
            raise ClientError(self._answered(Error={"Code": "ConflictException"}), "PutKey")
        if self._begin_call():
            self.config = json.loads(Value)
            self.version += 1
            self.changed()
        self._end_of_call()

    def _answered(self, **answer: Any) -> Any:
        date = format_datetime(datetime.fromtimestamp(self.now, UTC), usegmt=True)
        return {**answer, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    def _begin_call(self) -> bool:
        return self.calls_left != 0 or self.takes_effect

    def _end_of_call(self) -> None:
        if self.calls_left == 0:
            raise Interrupted
        if self.calls_left is not None:
            self.calls_left -= 1
