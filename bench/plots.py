"""Draw docs/plots/ from the results of `make bench`, and write the table of docs/performance.md.

`make plots` draws only the plots of the model of capacity and price. It runs in its own environment, which
has matplotlib.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.capacity import Audience, capacity, load_prices
from bench.document import DOCUMENT, written
from bench.price import SIZES, at_its_cheapest, by_default, described
from bench.price import price as price_of
from bench.results import DETAILS, RESULTS
from dev import ROOT

PLOTS = ROOT / "docs" / "plots"
BARE, OURS, PALE = "#9aa0a6", "#1a73e8", "#a8c7fa"
OF_SERVICES = [OURS, PALE, BARE, "#dadce0", "black"]
NARROWEST_LABELLED_MS = 2

Values = Mapping[str, float]
Details = Mapping[str, Any]


def latency(axes: Axes, _: Values, details: Details) -> None:
    """Draw the share of calls that are answered within a given time."""
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
    """Draw the parts of a heartbeat's processor time next to the bare call's."""
    layers = {
        "bare boto3": [("SDK", values["stub.bare.cpu"]), ("network", values["warm.bare.cpu"])],
        "whole handler": [
            ("validation, policy,\nanswer, log", values["stub.heartbeat.parts.cpu"]),
            ("serialise and sign", values["stub.heartbeat.cpu"]),
            ("network", values["warm.heartbeat.cpu"]),
        ],
    }
    for handler, parts in layers.items():
        left = 0.0
        for place, (name, until) in enumerate(parts):
            colour = BARE if handler == "bare boto3" else OURS
            axes.barh(handler, max(until - left, 0), left=left, color=colour, alpha=1 - 0.3 * place)
            axes.text((left + until) / 2, handler, name, ha="center", va="center", fontsize=7, rotation=90)
            left = until
    axes.set(title="Processor time of a heartbeat", xlabel="µs")


def cold(axes: Axes, _: Values, details: Details) -> None:
    """Draw the time from the start of a process to its first answer."""
    for handler, label, colour in (
        ("powertools", "a handler of Powertools", PALE),
        ("bare", "bare boto3", BARE),
        ("ours", "whole handler", OURS),
    ):
        left = 0.0
        for place, layer in enumerate(("python", "import", "client", "call")):
            width = statistics.median(details["layers"][f"{handler}.{layer}"])
            axes.barh(label, width, left=left, color=colour, alpha=1 - 0.2 * place)
            if width >= NARROWEST_LABELLED_MS:
                axes.text(left + width / 2, label, layer, ha="center", va="center", fontsize=7, rotation=90)
            left += width
    axes.set(title="From the start of the process to its first answer", xlabel="ms")


def throughput(axes: Axes, values: Values, _: Details) -> None:
    """Draw calls per second by threads and processes, beside the rate of the store itself."""
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
    """Draw the cost of an hour of a stream by the interval between heartbeats."""
    intervals = range(10, 301, 5)
    services = [capacity(Audience(1_000_000, seconds), load_prices()).dollars_hour for seconds in intervals]
    # A million viewers: dollars an hour equal dollars per million stream-hours.
    parts = {name: [dollars[name] for dollars in services] for name in services[0]}
    axes.stackplot(intervals, *parts.values(), labels=list(parts), colors=OF_SERVICES)
    axes.set(
        title="Cost of a million hours of streams", xlabel="seconds between heartbeats", ylabel="$", ylim=0
    )
    axes.legend(frameon=False)


def scale(axes: Axes, _: Values, __: Details) -> None:
    """Draw the requirements of audiences of each size, with a heartbeat every 30 seconds."""
    sizes = [10**power for power in range(3, 9)]
    needed = [capacity(Audience(size), load_prices()) for size in sizes]
    axes.loglog(sizes, [each.requests_second for each in needed], marker="o", color=OURS, label="writes/s")
    axes.loglog(
        sizes, [each.concurrency for each in needed], marker="o", color=BARE, label="functions at once"
    )
    dollars = [each.dollars for each in needed]
    axes.loglog(sizes, dollars, marker="o", color=PALE, label="$ per hour")
    axes.set(title="Required capacity and cost by number of viewers", xlabel="viewers at the same time")
    axes.legend(frameon=False)


def price(axes: Axes, _: Values, __: Details) -> None:
    """Draw the cost of a million requests, by default and with both settings that make heartbeats cheap."""
    for offset, configured, name_above in ((-0.2, by_default, "default"), (0.2, at_its_cheapest, "both")):
        for place, size in enumerate(SIZES):
            services = price_of(configured(Audience(size)), load_prices()).services
            below = 0.0
            for (name, dollars), colour in zip(services.items(), OF_SERVICES, strict=True):
                label = name if (configured, place) == (by_default, 0) else None
                axes.bar(place + offset, dollars, 0.36, below, color=colour, label=label)
                below += dollars
            axes.text(place + offset, below + 0.05, name_above, ha="center", fontsize=7)
    axes.set(
        title="A million requests: by default, and with both heartbeat_url and sampled events",
        xlabel="viewers at the same time",
        ylabel="$",
        ylim=(0, 3.5),
        xticks=range(len(SIZES)),
        xticklabels=[f"{size:,}" for size in SIZES],
    )
    axes.legend(frameon=False, ncols=len(OF_SERVICES))


MEASURED = (latency, processor, cold, throughput)
MODELLED = (cost, scale, price)


def main() -> None:
    """Draw all plots, or only those of the model."""
    parser = argparse.ArgumentParser(prog="python -m bench.plots", description=__doc__)
    parser.add_argument("which", nargs="?", choices=["modelled"], help="only the plots of the model")
    which = parser.parse_args().which
    mpl.rcParams.update({"svg.hashsalt": "stream-limiter", "figure.figsize": (7, 3), "font.size": 9})
    PLOTS.mkdir(exist_ok=True)
    _draw(MODELLED, {}, {})
    if which == "modelled":
        return
    rows = json.loads(RESULTS.read_text())
    details = json.loads(DETAILS.read_text())
    _draw(MEASURED, {row["id"]: row["value"] for row in rows}, details)
    DOCUMENT.write_text(written(DOCUMENT.read_text(), rows, details["machine"]))
    print(DOCUMENT.relative_to(ROOT))


def _draw(plots: Sequence[Callable[[Axes, Values, Details], None]], values: Values, details: Details) -> None:
    for draw in plots:
        figure, axes = plt.subplots(layout="constrained")
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, values, details)
        path = PLOTS / f"{draw.__name__}.svg"
        description = described(load_prices()) if draw is price else None  # a test compares the file with it
        figure.savefig(path, metadata={"Date": None, "Description": description})
        plt.close(figure)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
