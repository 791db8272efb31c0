"""The table of docs/performance.md, generated from the results of `make bench`."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dev import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"

ROWS = {
    "warm.start.cpu": "processor time: start",
    "warm.heartbeat.cpu": "heartbeat",
    "warm.end.cpu": "end",
    "warm.start.token.cpu": "start with a playback token",
    "warm.heartbeat.token.cpu": "heartbeat with a playback token",
    "warm.end.token.cpu": "end with a playback key",
    "warm.refusal.cpu": "refused start",
    "warm.reclaim.cpu": "takeover of expired slots, two writes",
    "warm.heartbeat.boto3.cpu": "heartbeat with `STORE_CLIENT=boto3`",
    "stub.heartbeat.cpu": "heartbeat, nothing sent",
    "stub.heartbeat.url.cpu": "heartbeat by the heartbeat URL, nothing sent",
    "stub.heartbeat.url.refused.cpu": "refused by the heartbeat URL",
    "warm.start.p50": "latency, median: start",
    "warm.heartbeat.p50": "heartbeat",
    "warm.end.p50": "end",
    "warm.heartbeat.p99": "latency, 99th percentile: heartbeat",
    "throughput.1": "throughput: 1 thread",
    "throughput.8": "8 threads",
    "throughput.32": "32 threads",
    "throughput.2x8": "2 processes with 8 threads",
    "throughput.of_store.2x8": "beside requests signed once",
    "throughput.4x8": "4 processes with 8 threads",
    "throughput.of_store.4x8": "beside requests signed once",
    "throughput.8x8": "8 processes with 8 threads",
    "throughput.of_store.8x8": "beside requests signed once",
    "throughput.store.busy.8x8": "processors used by the store, 8 processes",
    "cold.total": "cold: process start to first answer",
    "cold.token.total": "with playback tokens, beside the one without",
    "cold.powertools": "beside a handler of Powertools",
    "cold.ready": "import and client",
    "cold.cpu": "import and client: processor time",
    "cold.powertools.cpu": "beside a handler of Powertools",
    "cold.modules": "loaded by then",
    "restored.first.cpu": "restored by SnapStart: processor time of the first request",
    "memory.rss": "peak memory",
    "zip.bytes": "zip",
    "zip.unpacked": "unpacked",
}
"""The reported rows, with their names in the document."""

_KINDS = re.compile(
    r"(warm|stub|throughput|cold|restored|memory)\.(?:(?:start|heartbeat|end|refusal|reclaim)\.)?"
    r"(?:boto3\.|token\.|url\.(?:refused\.)?)?"
)
_BESIDE = {
    **{f"throughput.of_store.{shape}": f"throughput.store.{shape}" for shape in ("2x8", "4x8", "8x8")},
    "cold.token.total": "cold.total",
    "cold.powertools": "cold.powertools.handler.total",
    "cold.powertools.cpu": "cold.powertools.handler.cpu",
}
"""Rows that are compared with another one than the bare call's."""


def baseline(name: str) -> str:
    """Return the id of the row that this one is compared with, by default the bare call's."""
    return _BESIDE.get(name) or _KINDS.sub(r"\1.bare.", name)


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the table in Markdown."""
    known = {row["id"]: row for row in rows}
    lines = ["| | whole handler | bare `update_item` | ratio | goal |", "|---|---|---|---|---|"]
    for name, words in ROWS.items():
        row = known[name]
        bare = "" if row["ratio"] is None else _figure(known[baseline(name)])
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        lines.append(f"| {words} | {_figure(row)} | {bare} | {ratio} | {_goal(row)} |")
    return "\n".join(lines)


def _figure(row: Mapping[str, Any]) -> str:
    value, unit = row["value"], row["unit"]
    if unit == "bytes":
        value, unit = value / 1e6, "MB"
    elif unit == "µs":
        value, unit = value / 1000, "ms"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"  # noqa: PLR2004 - three digits


def _goal(row: Mapping[str, Any]) -> str:
    if row["goal"] is None:
        return ""
    goal = f"{row['goal'] / 1e6:g} MB" if row["unit"] == "bytes" else f"{row['goal']}"
    return f"{goal}, {'met' if row['met'] else '**not met**'}"


def written(document: str, rows: Iterable[Mapping[str, Any]], machine: str) -> str:
    """Return the document with this table in place."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{machine} (medians):\n\n{table(rows)}\n\n{END}{after}"
