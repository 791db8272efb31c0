"""Capacity and cost by number of viewers: `make capacity VIEWERS=1000000 HEARTBEAT=60 PLAY_MINUTES=60`.

`HEARTBEAT_URL=true HEARTBEAT_LOG_SAMPLE=100` are the settings that make heartbeats cheap: see bench/price.py.
`SEGMENT_SECONDS=6` says how much video one request to the edge brings, for what playback tokens cost there.
`CURVE=` and `WATCH_HOURS=2` say how a month is watched: how many at each hour, how long a subscriber a day.
A model, not a measurement: docs/scaling.md says what it assumes, and what changes with each power of ten.
"""

import math
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

PRICES: Final = Path(__file__).with_name("prices.toml")
HOUR: Final = 3600
MONTH_HOURS: Final = 730
MILLION: Final = 1_000_000
THROTTLING_RATE: Final = 1000
"""Requests per second that a stage admits, unless Terraform's variable says otherwise."""

MOST_SAMPLED: Final = 100
"""The bound of HEARTBEAT_LOG_SAMPLE."""

DAY_HOURS: Final = 24
EVENING: Final = (
    *(60, 40, 28, 22, 20, 20, 22, 26, 30, 33, 36, 39),
    *(43, 45, 46, 48, 52, 60, 72, 86, 98, 100, 96, 78),
)
"""How many watch in each hour from midnight on, as percentages of the peak: an assumption, 50 on average.

Two of its points are published, as docs/scaling.md says: a trough of a fifth, and a peak from 8 to 10 p.m.
"""

RAMP_MINUTES: Final = 30
"""An on-demand table takes twice its former peak at once, and as much again after so many minutes."""


@dataclass(frozen=True)
class Audience:
    """Who watches, and how the service is set up.

    Attributes:
        viewers: streams that are watched at the same time; a mean need not be whole.
        heartbeat_seconds: between two heartbeats of a player.
        play_seconds: how long one is watched, on average.
        streams_per_user: how many of them one user has.
        duration_ms: how long a function takes for a request, most of it waiting for DynamoDB.
        memory_mb: what a function is given.
        heartbeat_url: whether heartbeats go to a function URL, past API Gateway.
        log_sample: of how many successful heartbeats one has an event.
        event_bytes: of a request's event in the log, as CloudWatch counts it: with 26 for each line.
        lambda_lines_bytes: of the three lines that Lambda writes about each call by itself, and leaves out
            of heartbeats where these are sampled.
        shared_event_bytes: of the event with the values of the heartbeats that have none of their own.
        values_bytes: of one heartbeat in it.
        access_log_bytes: of the line that API Gateway writes about a request.
        metrics: that the events make: some for each function, and one for each outcome of each.
        write_units: what a write costs; an item of up to 1 KB is one.
        segment_seconds: how much video one request to the edge brings.
    """

    viewers: float
    heartbeat_seconds: float = 30
    play_seconds: float = HOUR
    streams_per_user: int = 3
    duration_ms: float = 10
    memory_mb: int = 512
    heartbeat_url: bool = False
    log_sample: int = 1
    event_bytes: int = 1080
    lambda_lines_bytes: int = 320
    shared_event_bytes: int = 700
    values_bytes: int = 20
    access_log_bytes: int = 230
    metrics: int = 42
    write_units: int = 1
    segment_seconds: float = 6


@dataclass(frozen=True)
class Capacity:
    """What it takes.

    Attributes:
        requests_second: in the steady state; each is one write.
        write_units_second: of the table.
        concurrency: function instances that work at the same time.
        partitions: that the table needs for its writes at least.
        user_share: of one partition's write units that one user's item takes.
        ramp_minutes: until a new on-demand table takes all of it, unless it is warmed beforehand.
        quotas: that must be raised: its name, what is needed, what there is.
        dollars_hour: by service, of a month that is like this at every hour: prices fall with a month's use.
        provisioned_dollars_hour: of the table's writes, were they provisioned for exactly this.
        direct_dollars_hour: of everything, did a REST API call the table itself, without function and log.
        edge_requests_second: for segments, of which the edge checks each one's playback token.
        edge_dollars_hour: of those checks, on top of everything else; twice that for live streams, as players
            load the playlist again for each segment.
    """

    requests_second: float
    write_units_second: float
    concurrency: int
    partitions: int
    user_share: float
    ramp_minutes: float
    quotas: tuple[tuple[str, float, float], ...]
    dollars_hour: Mapping[str, float]
    provisioned_dollars_hour: float
    direct_dollars_hour: float
    edge_requests_second: float
    edge_dollars_hour: float

    @property
    def dollars(self) -> float:
        """Per hour, all services together."""
        return sum(self.dollars_hour.values())

    @property
    def dollars_million_requests(self) -> float:
        """All services together."""
        return self.dollars / (self.requests_second * HOUR / MILLION)


@dataclass(frozen=True)
class Month:
    """What a month costs, where as many as an audience's viewers watch at its busiest hour.

    Attributes:
        mean_viewers: over the hours of a day.
        constant_dollars: were every hour like the busiest.
        dollars: on the curve, of the service.
        edge_dollars: on the curve, of the edge's checks of requests for video on demand.
        subscribers: who make such an audience.
    """

    mean_viewers: float
    constant_dollars: float
    dollars: float
    edge_dollars: float
    subscribers: float

    @property
    def dollars_subscriber(self) -> float:
        """The service's, on the curve."""
        return self.dollars / self.subscribers


def charge_hour(use_hour: float, tiers: Sequence[Mapping[str, float]]) -> float:
    """What an hour's use costs, where each part of a month's use has its own tier's price."""
    use = use_hour * MONTH_HOURS
    total = below = 0.0
    for tier in tiers:
        up_to = min(use, tier.get("up_to", math.inf))
        total += (up_to - below) * tier["price"]
        below = up_to
    return total / MONTH_HOURS


def heartbeats_per_play(audience: Audience) -> float:
    """Return how many there are; the last one comes half an interval before the end, on average."""
    return max(audience.play_seconds / audience.heartbeat_seconds - 0.5, 0)


def requests_per_play(audience: Audience) -> float:
    """A start, an end, and heartbeats."""
    return 2 + heartbeats_per_play(audience)


def heartbeat_bytes(audience: Audience) -> float:
    """Return what a heartbeat adds to its function's log, on average."""
    sample = audience.log_sample
    if sample == 1:
        return audience.event_bytes + audience.lambda_lines_bytes
    shared = audience.shared_event_bytes + (sample - 1) * audience.values_bytes
    return (audience.event_bytes + shared) / sample


def capacity(audience: Audience, prices: Mapping[str, Any]) -> Capacity:
    """What this audience takes, at these prices and quotas."""
    quotas = prices["quotas"]
    rate = audience.viewers * requests_per_play(audience) / audience.play_seconds
    units = rate * audience.write_units
    concurrency = math.ceil(rate * audience.duration_ms / 1000)
    millions_hour = rate * HOUR / MILLION
    heartbeats = heartbeats_per_play(audience) / requests_per_play(audience)
    by_gateway = 1 - heartbeats if audience.heartbeat_url else 1
    gigabyte_seconds = rate * HOUR * audience.duration_ms / 1000 * audience.memory_mb / 1024
    database = millions_hour * audience.write_units * prices["dynamodb"]["on_demand_write_unit_million"]
    log_bytes = (
        by_gateway * audience.access_log_bytes
        + (1 - heartbeats) * (audience.event_bytes + audience.lambda_lines_bytes)
        + heartbeats * heartbeat_bytes(audience)
    )
    gigabytes = rate * HOUR * log_bytes / 1e9
    needs = (
        ("Terraform's throttling_rate", rate * by_gateway, THROTTLING_RATE),
        ("API Gateway requests per second", rate * by_gateway, quotas["api_gateway_requests_second"]),
        ("Lambda concurrency", concurrency, quotas["lambda_concurrency"]),
        ("DynamoDB write units per second and table", units, quotas["table_write_units_second"]),
    )
    cold = quotas["new_on_demand_table_writes_second"]
    segments_second = audience.viewers / audience.segment_seconds
    edge_million = (
        prices["cloudfront"]["function_million"] + prices["cloudfront"]["key_value_store_read_million"]
    )
    return Capacity(
        requests_second=rate,
        write_units_second=units,
        concurrency=concurrency,
        partitions=math.ceil(units / quotas["partition_write_units_second"]),
        user_share=audience.streams_per_user
        * (units / audience.viewers)
        / quotas["partition_write_units_second"],
        ramp_minutes=RAMP_MINUTES * max(math.ceil(math.log2(units / cold)), 0) if units else 0,
        quotas=tuple(need for need in needs if need[1] > need[2]),
        dollars_hour={
            "API Gateway": charge_hour(
                millions_hour * by_gateway, prices["api_gateway"]["http_call_million"]
            ),
            "DynamoDB": database,
            "Lambda": millions_hour * prices["lambda"]["request_million"]
            + millions_hour * (1 - by_gateway) * prices["lambda"]["function_url_million"]
            + charge_hour(gigabyte_seconds, prices["lambda"]["gigabyte_second_arm64"]),
            "logs": charge_hour(gigabytes, prices["cloudwatch"]["ingested_gigabyte"]),
            "metrics": audience.metrics * prices["cloudwatch"]["metric_month"] / MONTH_HOURS,
        },
        direct_dollars_hour=database + charge_hour(millions_hour, prices["api_gateway"]["rest_call_million"]),
        provisioned_dollars_hour=units * prices["dynamodb"]["provisioned_write_unit_hour"],
        edge_requests_second=segments_second,
        edge_dollars_hour=segments_second * HOUR / MILLION * edge_million,
    )


def month(
    audience: Audience,
    prices: Mapping[str, Any],
    curve: Sequence[float] = EVENING,
    watch_hours: float = 2,
) -> Month:
    """Return what a month of such days costs.

    All is paid by use, and the tiers are of a month's use: only the mean of the curve counts.

    Args:
        audience: at the busiest hour.
        prices: of the table.
        curve: how many watch in each hour of a day, on any scale.
        watch_hours: how much a subscriber watches in a day, on all screens together.
    """
    mean = audience.viewers * sum(curve) / len(curve) / max(curve)
    on_average = capacity(replace(audience, viewers=mean), prices)
    return Month(
        mean_viewers=mean,
        constant_dollars=capacity(audience, prices).dollars * MONTH_HOURS,
        dollars=on_average.dollars * MONTH_HOURS,
        edge_dollars=on_average.edge_dollars_hour * MONTH_HOURS,
        subscribers=mean * DAY_HOURS / watch_hours,
    )


def load_prices() -> dict[str, Any]:
    """The table of prices and quotas."""
    return tomllib.loads(PRICES.read_text(encoding="utf-8"))


def report(audience: Audience, needed: Capacity, a_month: Month, as_of: str) -> str:
    """The figures for people."""
    raised = [f"  raise {name}: {need:,.0f}, there are {there:,}" for name, need, there in needed.quotas]
    dollars = ", ".join(f"{name} ${dollars:,.2f}" for name, dollars in needed.dollars_hour.items())
    edge = (
        f"${needed.edge_dollars_hour:,.2f} more per hour on demand, ${2 * needed.edge_dollars_hour:,.2f} live"
    )
    on_the_curve = f"${a_month.dollars:,.2f}, and the edge ${a_month.edge_dollars:,.2f}"
    lines = (
        f"{audience.viewers:,} viewers, a heartbeat every {audience.heartbeat_seconds:g} s",
        f"  {needed.requests_second:,.1f} requests/s, {needed.write_units_second:,.1f} write units/s",
        f"  {needed.concurrency:,} functions at once, at least {needed.partitions:,} partitions",
        f"  one user takes {needed.user_share:.4%} of what a partition can write",
        f"  a new on-demand table: {needed.ramp_minutes:g} minutes until it takes all of it, or warm it",
        *(raised or ["  no quota to raise"]),
        f"  ${needed.dollars:,.2f} per hour: {dollars}",
        f"  ${needed.dollars_million_requests:.2f} per million requests",
        f"  ${needed.dollars / audience.viewers:.6f} per stream and hour",
        f"  writes provisioned for exactly this: ${needed.provisioned_dollars_hour:,.2f} per hour",
        f"  by a REST API that calls the table itself: ${needed.direct_dollars_hour:,.2f} per hour",
        f"  with playback tokens, the edge: {edge}, with segments of {audience.segment_seconds:g} s",
        f"  a month with every hour like this: ${a_month.constant_dollars:,.2f}",
        f"  a month with this at the peak, {a_month.mean_viewers:,.0f} viewers on average: {on_the_curve}",
        f"  of {a_month.subscribers:,.0f} subscribers, each ${a_month.dollars_subscriber:.4f} a month",
        f"  (list prices of {as_of}, us-east-1)",
    )
    return "\n".join(lines)


def _given(name: str, default: float) -> float:
    text = os.environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < math.inf:
        sys.exit(f"make capacity: {name} is a number above 0, not {text!r}")
    return value


def _given_sample() -> int:
    sample = _given("HEARTBEAT_LOG_SAMPLE", 1)
    if sample > MOST_SAMPLED or sample % 1:
        sys.exit(f"make capacity: HEARTBEAT_LOG_SAMPLE is a whole number up to {MOST_SAMPLED}")
    return int(sample)


def _given_url() -> bool:
    text = os.environ.get("HEARTBEAT_URL") or "false"
    if text not in {"true", "false"}:
        sys.exit(f"make capacity: HEARTBEAT_URL is true or false, not {text!r}")
    return text == "true"


def _given_curve() -> Sequence[float]:
    text = os.environ.get("CURVE")
    if not text:
        return EVENING
    try:
        curve = [float(part) for part in text.split(",")]
    except ValueError:
        curve = []
    if len(curve) != DAY_HOURS or not all(0 <= share < math.inf for share in curve) or not any(curve):
        sys.exit(
            "make capacity: CURVE is 24 numbers with commas between them, one for each hour from midnight on"
        )
    return curve


def given_audience() -> Audience:
    """Return the audience that the variables describe, but for how many there are."""
    return Audience(
        viewers=1,
        heartbeat_seconds=_given("HEARTBEAT", 30),
        play_seconds=_given("PLAY_MINUTES", 60) * 60,
        heartbeat_url=_given_url(),
        log_sample=_given_sample(),
        segment_seconds=_given("SEGMENT_SECONDS", 6),
    )


def given_viewers(powers: Sequence[int]) -> list[int]:
    """Return how many viewers to compute for: without a number, each of these powers of ten."""
    return [round(_given("VIEWERS", 1))] if os.environ.get("VIEWERS") else [10**power for power in powers]


def given_day() -> tuple[Sequence[float], float]:
    """Return how many watch at each hour, and how many hours a subscriber watches."""
    curve, watch_hours = _given_curve(), _given("WATCH_HOURS", 2)
    if watch_hours > DAY_HOURS:
        sys.exit(f"make capacity: WATCH_HOURS is of a day, and not {watch_hours:g}")
    return curve, watch_hours


def main() -> None:
    """Read the variables, and print the report; without VIEWERS one for each power of ten."""
    prices = load_prices()
    curve, watch_hours = given_day()
    for viewers in given_viewers(range(3, 9)):
        audience = replace(given_audience(), viewers=viewers)
        a_month = month(audience, prices, curve, watch_hours)
        print(report(audience, capacity(audience, prices), a_month, prices["as_of"]))


if __name__ == "__main__":
    main()
