"""Draws docs/plots/ out of what `make bench` measured, and writes the table of docs/performance.md.

Runs in an environment of its own, with matplotlib.
"""

import json
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.document import DOCUMENT, written
from bench.results import DETAILS, RESULTS
from dev import ROOT
from dev.capacity import Audience, capacity, load_prices

PLOTS = ROOT / "docs" / "plots"
BARE, OURS, PALE = "#9aa0a6", "#1a73e8", "#a8c7fa"
NARROWEST_LABELLED_MS = 2

Values = Mapping[str, float]
Details = Mapping[str, Any]


def latency(axes: Axes, _: Values, details: Details) -> None:
    """How many calls are answered within which time."""
    for name, colour in (("bare", BARE), ("heartbeat", OURS), ("start", PALE)):
        shares = [place / 2 for place in range(1, 200)]
        times = [time / 1000 for time in statistics.quantiles(details["latencies"][name], n=200)]
        label = "bare boto3 update_item" if name == "bare" else f"whole handler, {name}"
        axes.plot(times, shares, color=colour, label=label)
    axes.set(
        title="Latency on DynamoDB Local", xlabel="ms", ylabel="% of calls answered within", xscale="log"
    )
    axes.legend(frameon=False)


def processor(axes: Axes, values: Values, _: Details) -> None:
    """Where the time of a heartbeat goes, beside the bare call."""
    layers = {
        "bare boto3": [("SDK", values["stub.bare.cpu"]), ("network", values["warm.bare.cpu"])],
        "whole handler": [
            ("validation, policy,\nanswer, log", values["stub.heartbeat.parts.cpu"]),
            ("serialise and sign", values["stub.heartbeat.cpu"]),
            ("network", values["warm.heartbeat.cpu"]),
        ],
    }
    for who, parts in layers.items():
        left = 0.0
        for place, (name, until) in enumerate(parts):
            colour = BARE if who == "bare boto3" else OURS
            axes.barh(who, max(until - left, 0), left=left, color=colour, alpha=1 - 0.3 * place)
            axes.text((left + until) / 2, who, name, ha="center", va="center", fontsize=7, rotation=90)
            left = until
    axes.set(title="Processor time of a heartbeat", xlabel="µs")


def cold(axes: Axes, _: Values, details: Details) -> None:
    """What a process does until its first answer."""
    for who, label, colour in (
        ("powertools", "a handler of Powertools", PALE),
        ("bare", "bare boto3", BARE),
        ("ours", "whole handler", OURS),
    ):
        left = 0.0
        for place, layer in enumerate(("python", "import", "client", "call")):
            width = statistics.median(details["layers"][f"{who}.{layer}"])
            axes.barh(label, width, left=left, color=colour, alpha=1 - 0.2 * place)
            if width >= NARROWEST_LABELLED_MS:
                axes.text(left + width / 2, label, layer, ha="center", va="center", fontsize=7, rotation=90)
            left += width
    axes.set(title="From the start of the process to its first answer", xlabel="ms")


def throughput(axes: Axes, values: Values, _: Details) -> None:
    """Calls a second over threads and processes, and what the store itself can do beside so many."""
    shapes = ["1", "8", "32", "2x8", "4x8", "8x8"]
    for name, label, colour in (
        ("throughput.bare.", "bare boto3", BARE),
        ("throughput.", "whole handler", OURS),
    ):
        axes.plot(shapes, [values[f"{name}{n}"] for n in shapes], marker="o", color=colour, label=label)
    many = [shape for shape in shapes if "x" in shape]
    limit = [values[f"throughput.store.{shape}"] for shape in many]
    axes.plot(many, limit, linestyle="--", color="black", label="the store, by requests signed once")
    axes.set(title="Throughput", xlabel="threads, or processes x threads", ylabel="calls/s", ylim=0)
    axes.legend(frameon=False)


def cost(axes: Axes, _: Values, __: Details) -> None:
    """What an hour of a stream costs over how often players send a heartbeat."""
    intervals = range(10, 301, 5)
    services = [capacity(Audience(1_000_000, seconds), load_prices()).dollars_hour for seconds in intervals]
    # A million viewers: dollars an hour are dollars per million stream-hours.
    parts = {name: [dollars[name] for dollars in services] for name in services[0]}
    axes.stackplot(
        intervals, *parts.values(), labels=list(parts), colors=[OURS, PALE, BARE, "#dadce0", "black"]
    )
    axes.set(
        title="Cost of a million hours of streams", xlabel="seconds between heartbeats", ylabel="$", ylim=0
    )
    axes.legend(frameon=False)


def scale(axes: Axes, _: Values, __: Details) -> None:
    """What audiences of each size ask for, with a heartbeat every 30 seconds."""
    sizes = [10**power for power in range(3, 9)]
    needed = [capacity(Audience(size), load_prices()) for size in sizes]
    axes.loglog(sizes, [each.requests_second for each in needed], marker="o", color=OURS, label="writes/s")
    axes.loglog(
        sizes, [each.concurrency for each in needed], marker="o", color=BARE, label="functions at once"
    )
    dollars = [each.dollars for each in needed]
    axes.loglog(sizes, dollars, marker="o", color=PALE, label="$ per hour")
    axes.set(title="What an audience asks for", xlabel="viewers at the same time")
    axes.legend(frameon=False)


def main() -> None:
    """Draw them all."""
    mpl.rcParams.update({"svg.hashsalt": "stream-limiter", "figure.figsize": (7, 3), "font.size": 9})
    rows = json.loads(RESULTS.read_text())
    details = json.loads(DETAILS.read_text())
    values = {row["id"]: row["value"] for row in rows}
    PLOTS.mkdir(exist_ok=True)
    draw: Callable[[Axes, Values, Details], None]
    for draw in (latency, processor, cold, throughput, cost, scale):
        figure, axes = plt.subplots(layout="constrained")
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, values, details)
        path = PLOTS / f"{draw.__name__}.svg"
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
        print(path.relative_to(ROOT))
    DOCUMENT.write_text(written(DOCUMENT.read_text(), rows, details["machine"]))
    print(DOCUMENT.relative_to(ROOT))


if __name__ == "__main__":
    main()
