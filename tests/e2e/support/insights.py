"""The saved queries of CloudWatch Logs Insights, run over real events: the emulator keeps and runs none.

The features of the language that the queries use are evaluated here as AWS documents them, and no others:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from dev.tools.terraform import run_terraform

Row: TypeAlias = Mapping[str, Any]

COMMANDS: Final = re.compile(r"""[|\s]*((?:"[^"]*"|[^"|])+)""")
MAX_STATS: Final = 2
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html"""
AGGREGATE: Final = re.compile(r"(\w+)\(([\w.]*)(?:, (\d+))?\)(?: as (\w+))?")
CONDITION: Final = re.compile(
    r"""(?P<field>[\w.@]+) (?P<compare>=|!=) "(?P<text>[^"]*)"|ispresent\((?P<there>\w+)\)"""
)


def planned(
    configuration: Path, inputs: Sequence[str], account: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Return the queries of Terraform's plan by the resource and by their names, without the stage's."""
    run_terraform(
        configuration, "plan", "-refresh=false", "-out=queries.tfplan", *inputs, environment=account
    )
    plan = json.loads(run_terraform(configuration, "show", "-json", "queries.tfplan", environment=account))
    queries: dict[str, dict[str, str]] = defaultdict(dict)
    for resource in plan["planned_values"]["root_module"]["resources"]:
        if resource["type"] == "aws_cloudwatch_query_definition":
            name = resource["values"]["name"].partition("/")[2]
            queries[resource["name"]][name] = resource["values"]["query_string"]
    return queries


def read(logs: Any, groups: Sequence[str]) -> list[Row]:
    """Return every line of these logs as a query sees it: the members of JSON are fields."""
    pages = [
        page
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    ]
    lines = [event for page in pages for event in page["events"]]
    return [{"@timestamp": line["timestamp"], **_members(line["message"])} for line in lines]


def run(query: str, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that a query finds.

    Raises:
        AssertionError: the query has a form that is not evaluated here.
    """
    commands = [command.strip().partition(" ") for command in COMMANDS.findall(query)]
    assert sum(name == "stats" for name, _, _ in commands) <= MAX_STATS
    found = list(rows)
    for name, _, arguments in commands:
        assert name in _COMMANDS, f"not evaluated here: {name}"
        found = _COMMANDS[name](" ".join(arguments.split()), found)
    return found


def _filter(conditions: str, rows: list[Row]) -> list[Row]:
    return [row for row in rows if any(_holds_all(one, row) for one in conditions.split(" or "))]


def _holds_all(conditions: str, row: Row) -> bool:
    return all(_holds(condition, row) for condition in conditions.split(" and "))


def _holds(condition: str, row: Row) -> bool:
    parts = CONDITION.fullmatch(condition)
    assert parts, f"not evaluated here: {condition}"
    if parts["there"]:
        return row.get(parts["there"]) is not None
    return (row.get(parts["field"]) == parts["text"]) == (parts["compare"] == "=")


def _fields(names: str, rows: list[Row]) -> list[Row]:
    return [{name: row[name] for name in names.split(", ") if name in row} for row in rows]


def _stats(arguments: str, rows: list[Row]) -> list[Row]:
    aggregates, _, by = arguments.partition(" by ")
    names = by.split(", ")
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row.get(name) for name in names)].append(row)
    return [
        {**dict(zip(names, key, strict=True)), **_aggregated(aggregates, group)}
        for key, group in groups.items()
    ]


def _aggregated(aggregates: str, group: list[Row]) -> Row:
    assert re.fullmatch(rf"{AGGREGATE.pattern}(, {AGGREGATE.pattern})*", aggregates), aggregates
    made = {}
    for part in AGGREGATE.finditer(aggregates):
        function, name, number, alias = part.groups()
        in_order = sorted(group, key=lambda row: row.get("@timestamp", 0))
        values = [row[name] for row in in_order if row.get(name) is not None]
        made[alias or part[0]] = _aggregate(function, values, int(number or 0), len(group))
    return made


def _aggregate(function: str, values: list[Any], number: int, size: int) -> Any:
    match function:
        case "count":
            return size
        case "sum":
            return sum(values)
        case "max":
            return max(values, default=None)
        case "latest":
            return values[-1] if values else None
        case "pct":
            return sorted(values)[round(number / 100 * (len(values) - 1))] if values else None
    raise AssertionError(f"not evaluated here: {function}")


def _sort(arguments: str, rows: list[Row]) -> list[Row]:
    name, _, direction = arguments.partition(" ")
    return sorted(rows, key=lambda row: row[name], reverse=direction == "desc")


def _limit(number: str, rows: list[Row]) -> list[Row]:
    return rows[: int(number)]


_COMMANDS: Final[dict[str, Callable[[str, list[Row]], list[Row]]]] = {
    "filter": _filter,
    "fields": _fields,
    "stats": _stats,
    "sort": _sort,
    "limit": _limit,
}


def _members(message: str) -> dict[str, Any]:
    try:
        members = json.loads(message)
    except ValueError:
        members = None
    return members if isinstance(members, dict) else {"@message": message}
