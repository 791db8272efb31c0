"""Alarms read metrics that the service makes, and lead to sections that the runbook has."""

import json
import re
from pathlib import Path

from entrypoints.metrics import NAMESPACE, embedded
from tests.support import documented

ROOT = Path(__file__).parents[2]
ALARMS = (ROOT / "terraform" / "alarms.tf").read_text(encoding="utf-8")
API = (ROOT / "terraform" / "api.tf").read_text(encoding="utf-8")
DASHBOARD = (ROOT / "terraform" / "dashboard.tf").read_text(encoding="utf-8")
LOGS = (ROOT / "terraform" / "logs.tf").read_text(encoding="utf-8")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
INSIGHTS = {
    *("filter", "fields", "stats", "by", "sort", "asc", "desc", "limit", "as", "and", "or"),
    *("ispresent", "count", "sum", "max", "pct", "latest", "timestamp"),
}
"""The words of the query language that the saved queries use."""


def made() -> dict[str, set[str]]:
    """Return the dimensions of each metric that an event makes, or a filter of the access log."""
    directives = json.loads(embedded("reclaimed", 0.0, reclaimed=1)["_aws"])["CloudWatchMetrics"]
    by_events = {metric["Name"]: set(one["Dimensions"][0]) for one in directives for metric in one["Metrics"]}
    return {**by_events, **{metric: {"ApiId"} for metric in counted()}}


def counted() -> dict[str, str]:
    """Return the status that each filter of the access log counts, by the name of its metric."""
    given = re.search(r"turned_away = \{ (.+) \}", LOGS)
    assert given
    return dict(re.findall(r'(\w+) += "(\d+)"', given[1]))


def access_log() -> dict[str, str]:
    """Return the variable of API Gateway that each field of the access log has."""
    return dict(re.findall(r'(\w+) += "\$context\.([\w.]+)"', API))


def queries(text: str) -> dict[str, str]:
    """Return the saved queries by their names."""
    return dict(re.findall(r'^    "([a-z\' ]+)" += <<-EOT\n(.*?)^    EOT', text, re.MULTILINE | re.DOTALL))


def watched() -> list[tuple[str, set[str]]]:
    """Return each of the service's own metrics that an alarm reads, with its dimensions."""
    name = r'metric(?:_name)? += "([a-z_]+)".*?dimensions +=[ \[\n]*(?:for [^{]+: )?\{ (.+?) \}'
    return [
        (metric, set(re.findall(r"(\w+) += ", given)))
        for metric, given in re.findall(name, ALARMS, re.DOTALL)
    ]


def names() -> set[str]:
    """Return the names of the alarms: the keys of the three maps, and the one that stands alone."""
    return {*re.findall(r"^    ([a-z-]+) += \{", ALARMS, re.MULTILINE), "refusals"}


def test_every_alarm_watches_an_existing_metric() -> None:
    """Every alarm's metric is made under its name and dimensions; any other would stay empty and silent."""
    assert len(watched()) == ALARMS.count(f'"{NAMESPACE}"')
    for metric, dimensions in watched():
        assert made()[metric] == dimensions


def test_every_alarmed_outcome_exists() -> None:
    """Every outcome in an alarm is one that requests have."""
    looked_for = set(re.findall(r'outcome += "(\w+)"', ALARMS + DASHBOARD))
    assert looked_for == {"unverified", "refused", "would_refuse", "failed"}

    drawn = re.search(r"outcomes = (\[.+\])", DASHBOARD)
    assert drawn
    assert looked_for | set(json.loads(drawn[1])) <= documented.OUTCOMES.keys()


def test_every_metric_of_the_dashboard_exists() -> None:
    """Every metric of the dashboard is made."""
    shown = re.findall(rf'"{NAMESPACE}", "(\w+)", "(\w+)"', DASHBOARD)

    assert {metric for metric, _ in shown} >= counted().keys()
    for metric, dimension in shown:
        assert dimension in made()[metric]


def test_every_field_of_a_saved_query_is_in_events() -> None:
    """Every field of a saved query is in events; any other would be empty in every row without an error."""
    of_events, _, of_the_access_log = DASHBOARD.partition("access_log_queries = {")
    assert len(queries(of_events)) > 6
    assert len(queries(of_the_access_log)) == 1
    for text, fields in ((of_events, documented.FIELDS), (of_the_access_log, access_log())):
        for query in queries(text).values():
            bare = re.sub(r'"[^"]*"', "", query)
            words = set(re.findall(r"[a-z]\w*", bare)) - set(re.findall(r" as (\w+)", bare)) - INSIGHTS
            assert words
            assert words <= fields.keys()


def test_the_access_log_is_documented() -> None:
    """The page has each of the log's fields with its variable, and each metric with its counted status."""
    fields = {
        name: cells[0].strip("`") for name, cells in documented.table("field of the access log").items()
    }
    assert fields == {name: f"$context.{variable}" for name, variable in access_log().items()}

    metrics = {name: cells[0] for name, cells in documented.table("metric of the access log").items()}
    assert metrics == counted()


def test_every_query_of_the_runbook_is_saved() -> None:
    """Each `query` that a section of the runbook names is saved."""
    saved = queries(DASHBOARD).keys()
    named = set(re.findall(r"`([a-z']+(?: [a-z']+)+)`", " ".join(RUNBOOK.split())))
    named = {name for name in named if not name.startswith("make ")}
    assert len(named) > 3
    assert named <= saved


def test_alarms_and_runbook_sections_match() -> None:
    """Each alarm has its section in the runbook under the alarm's name, and each section its alarm."""
    assert names() == set(re.findall(r"^### (.+)$", RUNBOOK, re.MULTILINE))
