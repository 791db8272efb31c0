"""Tables of the documents, and checks of events against docs/events.md and CloudWatch's rules."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

from entrypoints.metrics import NAMESPACE

DOCS: Final = Path(__file__).parents[2] / "docs"

# The rules of the schema that AWS publishes beside the format's specification:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 255}
_SIZES: Final = [
    "Bits",
    "Bytes",
    *(f"{size}{of}" for size in ("Kilo", "Mega", "Giga", "Tera") for of in ("bits", "bytes")),
]
_UNITS: Final = [
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "None"),
    *(f"{unit}{rate}" for unit in (*_SIZES, "Count") for rate in ("", "/Second")),
]
_METRIC: Final = {
    "type": "object",
    "required": ["Name"],
    "properties": {"Name": _NAME, "Unit": {"enum": _UNITS}, "StorageResolution": {"enum": [1, 60]}},
    "additionalProperties": False,
}
_DIRECTIVE: Final = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "properties": {
        "Namespace": _NAME,
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "maxItems": 30, "items": _NAME},
        },
        "Metrics": {"type": "array", "maxItems": 100, "items": _METRIC},
    },
    "additionalProperties": False,
}
_METADATA: Final = {
    "type": "object",
    "required": ["Timestamp", "CloudWatchMetrics"],
    "properties": {
        "Timestamp": {"type": "integer"},
        "CloudWatchMetrics": {"type": "array", "items": _DIRECTIVE},
    },
}
_SCHEMA: Final = jsonschema_rs.validator_for(
    {"type": "object", "required": ["_aws"], "properties": {"_aws": _METADATA}}
)
MAX_BYTES: Final = 256 * 1024
"""The longest event that CloudWatch reads metrics from."""
MAX_VALUES: Final = 100
"""The most values of one metric that CloudWatch takes from one event."""


def _is_operators(event: Any) -> bool:
    """Return whether the event is of one of the operator's routes."""
    return "/operator/" in event["route"]


def _has_code(event: Any) -> bool:
    """Return whether the event is of a request that was refused, or would have been in another mode."""
    return bool(event["status"] != 200 or event["outcome"] == "would_refuse")


_NOTHING_OF_THE_USER: Final = {"invalid", "denied"}
_NO_STATE: Final = {*_NOTHING_OF_THE_USER, "gone", "unverified", "failed"}
_ROUTES_WITH_A_LIMIT: Final = {"POST /stream/start", "GET /stream"}
_OUTCOMES_WITH_A_LIMIT: Final = {"admitted", "reclaimed", "replaced", "evicted", "would_refuse", "listed"}
# By the page's word for when a field is there: true if it must be, and true if it may be.
_WHEN: Final[Mapping[str, tuple[Callable[[Any], bool], Callable[[Any], bool]]]] = {
    "always": (lambda _: True, lambda _: True),
    "a problem": (_has_code, _has_code),
    "failed": (lambda event: event["outcome"] == "failed", lambda event: event["outcome"] == "failed"),
    "user known": (
        lambda event: event["outcome"] not in {*_NOTHING_OF_THE_USER, "failed"},
        lambda event: event["outcome"] not in _NOTHING_OF_THE_USER,
    ),
    "by the URL": (
        lambda event: event.get("code") == "unauthenticated",
        lambda event: event["route"] == "POST /stream/heartbeat",
    ),
    "count known": (
        lambda event: event["outcome"] not in _NO_STATE,
        lambda event: event["outcome"] not in _NO_STATE,
    ),
    "starts, lists": (
        lambda event: event["outcome"] in _OUTCOMES_WITH_A_LIMIT and not _is_operators(event),
        lambda event: event["route"] in _ROUTES_WITH_A_LIMIT and event["outcome"] not in _NOTHING_OF_THE_USER,
    ),
    "slots freed": (
        lambda event: event["outcome"] in {"reclaimed", "evicted"},
        lambda event: event["outcome"] in {"reclaimed", "evicted", "would_refuse"},
    ),
    "a group was full": (lambda _: False, lambda event: event["outcome"] in {"refused", "would_refuse"}),
    "reason known": (lambda _: False, lambda event: event["outcome"] == "gone"),
    "in Lambda": (lambda _: False, lambda _: True),
    "operator known": (
        lambda event: _is_operators(event) and event.get("code") != "not_allowed",
        _is_operators,
    ),
}


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of each row of the page's table whose first column has this heading."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found is not None, f"no table of {heading} in {page}"
    return [re.split(r" +\| *", row.strip("| ")) for row in found[1].splitlines()]


def deployer_policy() -> Any:
    """Return the policy of the deployer, as docs/deploy.md has it."""
    page = (DOCS / "deploy.md").read_text(encoding="utf-8")
    (policy,) = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return json.loads(policy)


def boundary_statement() -> Any:
    """Return the statement with which docs/security.md lets a deployer set a permissions boundary."""
    page = (DOCS / "security.md").read_text(encoding="utf-8")
    (statement,) = re.findall(r"^```json\n([^`]*<permissions_boundary>[^`]*)^```", page, re.MULTILINE)
    return json.loads(statement)


def invoke_policies() -> dict[str, Any]:
    """Return the rights that docs/security.md gives a backend and an operator, by the statement's name."""
    page = (DOCS / "security.md").read_text(encoding="utf-8")
    blocks = [
        json.loads(f"[{block}]")
        for block in re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    ]
    statements = [statement for block in blocks for statement in block]
    return {one["Sid"]: one for one in statements if one["Action"] == "execute-api:Invoke"}


def actions(policy: Any) -> set[str]:
    """Return the actions that the policy allows."""
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def table(heading: str) -> dict[str, list[str]]:
    """Return the other cells of each row of the page's table, by every name in its first cell."""
    return {
        name: cells[1:] for cells in rows("events.md", heading) for name in re.findall(r"`(\w+)`", cells[0])
    }


FIELDS: Final = table("field")
OUTCOMES: Final = table("outcome")
METRICS: Final = table("metric")
RARE: Final = {"reclaimed_slots", "evicted_slots"}
"""The metrics that not every event makes."""


def check(event: Mapping[str, Any]) -> None:
    """Check that the event has the fields that the page gives it and no other, and makes its metrics."""
    assert event["outcome"] in OUTCOMES
    assert event.keys() <= FIELDS.keys()
    for name, (when, *_) in FIELDS.items():
        must, may = _WHEN[when]
        assert not must(event) or name in event, f"{name} is missing from {event}"
        assert name not in event or may(event), f"{name} should not be in {event}"
    documented = {name: (cells[0], cells[1]) for name, cells in METRICS.items() if name in event}
    assert METRICS.keys() - documented.keys() <= RARE
    assert made_of(event) == documented


def made_of(event: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the unit and dimensions of each metric that CloudWatch makes of the event, after checking it."""
    _SCHEMA.validate(dict(event))
    made = {}
    for directive in event["_aws"]["CloudWatchMetrics"]:
        assert directive["Namespace"] == NAMESPACE
        (dimensions,) = directive["Dimensions"]
        assert all(isinstance(event[name], str) and event[name] for name in dimensions)
        for metric in directive["Metrics"]:
            assert values_of(event, metric["Name"])
            made[metric["Name"]] = (metric["Unit"], ", ".join(dimensions))
    return made


def values_of(event: Mapping[str, Any], metric: str) -> list[float]:
    """Return the values of a metric that CloudWatch reads from the event: a number, or an array."""
    values = event[metric] if isinstance(event[metric], list) else [event[metric]]
    assert len(values) <= MAX_VALUES
    assert all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return values
