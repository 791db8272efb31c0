"""Metrics in CloudWatch's embedded format: members of the request's event, without an extra call.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import to_json

from entrypoints.problems import FAILED, REFUSED

NAMESPACE: Final = "StreamLimiter"
METADATA: Final = "_aws"
"""The member that declares other members as metrics. Its value is already JSON."""

# No user among the dimensions: each value of a dimension is a metric of its own, at its own price.
_DIRECTIVES: Final[list[dict[str, Any]]] = [
    {
        "Namespace": NAMESPACE,
        "Dimensions": [["function"]],
        "Metrics": [
            {"Name": "duration_ms", "Unit": "Milliseconds"},
            {"Name": "store_ms", "Unit": "Milliseconds"},
            {"Name": "contention_rounds", "Unit": "Count"},
            {"Name": "refused", "Unit": "Count"},
            {"Name": "failed", "Unit": "Count"},
        ],
    },
    {
        "Namespace": NAMESPACE,
        "Dimensions": [["function", "outcome"]],
        "Metrics": [{"Name": "requests", "Unit": "Count"}],
    },
]
_NAMES: Final = tuple(metric["Name"] for directive in _DIRECTIVES for metric in directive["Metrics"])
# Rare, so the other events do not declare them.
_SLOTS: Final = {
    "Namespace": NAMESPACE,
    "Dimensions": [["function"]],
    "Metrics": [{"Name": "reclaimed_slots", "Unit": "Count"}, {"Name": "evicted_slots", "Unit": "Count"}],
}


def _as_json(directives: Sequence[Any]) -> str:
    return to_json(directives).decode()


# More than half of an event, and the same in each, so they are encoded once.
_USUAL: Final = _as_json(_DIRECTIVES)
_WITH_SLOTS: Final = _as_json([*_DIRECTIVES, _SLOTS])


def embedded(outcome: str, now: float, *, reclaimed: int = 0, evicted: int = 0) -> dict[str, Any]:
    """Return the members that turn an event with this outcome, at this epoch second, into metrics.

    `refused` and `failed` are 0 or 1, so that their average is the ratio. Slots that were given back are
    included only if there are any.
    """
    members: dict[str, Any] = {
        "requests": 1,
        "refused": int(outcome == REFUSED),
        "failed": int(outcome == FAILED),
    }
    directives = _USUAL
    if reclaimed or evicted:
        members |= {"reclaimed_slots": reclaimed, "evicted_slots": evicted}
        directives = _WITH_SLOTS
    members[METADATA] = f'{{"Timestamp":{int(now * 1000)},"CloudWatchMetrics":{directives}}}'
    return members


def embedded_together(events: Sequence[Mapping[str, Any]], now: float) -> dict[str, Any]:
    """Return the members that turn one event, at this epoch second, into the metrics of all these events."""
    members: dict[str, Any] = {name: [event[name] for event in events] for name in _NAMES}
    members[METADATA] = f'{{"Timestamp":{int(now * 1000)},"CloudWatchMetrics":{_USUAL}}}'
    return members
