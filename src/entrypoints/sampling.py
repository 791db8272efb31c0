"""An event log that samples successful heartbeats, and keeps the metrics exact.

CloudWatch reads the metrics from the events, so each omitted event would remove its counts and times. The
values of heartbeats without an event are therefore kept, and written as the arrays of one event named
`heartbeats`. The format allows up to 100 values in an array, with one timestamp for all of them:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from pydantic import SecretStr

from domain.policy import Outcome
from entrypoints.event_log import EventLog
from entrypoints.metrics import embedded_together
from entrypoints.settings import LogLevel

PERIOD_SECONDS: Final = 60
"""The period of the metrics: values of two periods never share a timestamp."""


class SampledEventLog(EventLog):
    """An event log in which one of N successful heartbeats has an event.

    The first of each N has it, so that the first request of a process always has one. The values of the
    others are written when there are N - 1 of them, or with the next event after their minute.

    Args:
        level: the lowest level that is written.
        hash_key: the key of the hash that stands for a user.
        one_in: N, at most 100.
        now: returns epoch seconds.
    """

    def __init__(self, level: LogLevel, hash_key: SecretStr, one_in: int, now: Callable[[], float]) -> None:
        super().__init__(level, hash_key)
        self._one_in = one_in
        self._now = now
        self._lock = threading.Lock()
        self._heartbeats = 0
        self._kept: list[dict[str, Any]] = []
        self._kept_at = 0.0

    def request(self, **fields: Any) -> None:
        """Write the event of a request, unless it is a heartbeat without one."""
        if not self._keeps(fields):
            super().request(**fields)

    def failure(self, error: Exception, **fields: Any) -> None:
        """Write the event of a request that could not be served."""
        self._keeps(fields)
        super().failure(error, **fields)

    def _keeps(self, fields: dict[str, Any]) -> bool:
        """Keep the values of a heartbeat without an event, and return whether the request is one.

        Values of an earlier minute are written first.
        """
        with self._lock:
            now = self._now()
            if self._kept and now // PERIOD_SECONDS != self._kept_at // PERIOD_SECONDS:
                self._write_kept()
            if fields["outcome"] != Outcome.EXTENDED:
                return False
            place = self._heartbeats % self._one_in
            self._heartbeats += 1
            if place == 0:
                return False
            self._kept.append(fields)
            self._kept_at = now
            if len(self._kept) == self._one_in - 1:
                self._write_kept()
            return True

    def _write_kept(self) -> None:
        """Write the kept values as one event."""
        shared = {name: self._kept[0][name] for name in ("function", "outcome")}
        members = embedded_together(self._kept, self._kept_at)
        self._kept = []
        self._logger.info("heartbeats", **shared, **members)
