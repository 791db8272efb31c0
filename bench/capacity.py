"""Capacity and cost by number of viewers: `make capacity VIEWERS=1000000 HEARTBEAT=60 PLAY_MINUTES=60`.

A model, not a measurement: docs/scaling.md lists its assumptions, and what changes at each power of ten.
"""

import math
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from dev.tools.command import words

VARIABLES: Final = {
    "VIEWERS": "concurrent streams; without it, each power of ten",
    "HEARTBEAT": "seconds between two heartbeats of a player (30)",
    "PLAY_MINUTES": "mean length of a stream (60)",
    "HEARTBEAT_URL": "true: heartbeats go to a function URL, as with Terraform's heartbeat_url (false)",
    "HEARTBEAT_LOG_SAMPLE": "the number of successful heartbeats of which one is logged (1)",
    "SEGMENT_SECONDS": "length of the video that one request to the edge loads (6)",
    "CURVE": "viewers in each hour from midnight on: 24 numbers on any scale (an evening's)",
    "WATCH_HOURS": "hours a day that a subscriber watches (2)",
}
PRICES: Final = Path(__file__).with_name("prices.toml")
HOUR: Final = 3600
MONTH_HOURS: Final = 730
MILLION: Final = 1_000_000
THROTTLING_RATE: Final = 1000
"""Requests per second that a stage admits by default in Terraform."""

MAX_SAMPLED: Final = 100
"""The upper bound of HEARTBEAT_LOG_SAMPLE."""

DAY_HOURS: Final = 24
EVENING: Final = (
    *(60, 40, 28, 22, 20, 20, 22, 26, 30, 33, 36, 39),
    *(43, 45, 46, 48, 52, 60, 72, 86, 98, 100, 96, 78),
)
"""Viewers in each hour from midnight on, as percentages of the peak: an assumption, 50 on average.

docs/scaling.md cites the source of two of its points: a trough of a fifth, and a peak from 8 to 10 p.m.
"""

RAMP_MINUTES: Final = 30
"""The time after which an on-demand table can double its peak again; it can double it once without delay."""


@dataclass(frozen=True)
class Audience:
    """The viewers, and the settings of the service.

    Attributes:
        viewers: concurrent streams; a mean may be fractional.
        heartbeat_seconds: time between two heartbeats of a player.
        play_seconds: mean length of a stream.
        streams_per_user: concurrent streams of one user.
        duration_ms: time that a function takes for a request, most of it waiting for DynamoDB.
        memory_mb: memory of a function.
        heartbeat_url: whether heartbeats go to a function URL, past API Gateway.
        log_sample: the number of successful heartbeats of which one is logged.
        event_bytes: size of a request's log event as CloudWatch counts it: plus 26 per line.
        lambda_lines_bytes: size of the three lines that Lambda itself logs for each call, except for
            heartbeats if these are sampled.
        shared_event_bytes: size of the event that has the values of unsampled heartbeats.
        values_bytes: size of one heartbeat's values in that event.
        access_log_bytes: size of API Gateway's access log line for a request.
        metrics: number of metrics: some for each function, and one for each of its outcomes.
        write_units: units per write; 1 for an item of up to 1 KB.
        segment_seconds: length of the video that one request to the edge loads.
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
    """The required capacity and its cost.

    Attributes:
        requests_second: requests per second in the steady state; each is one write.
        write_units_second: write units per second of the table.
        concurrency: function instances in use at the same time.
        partitions: minimum number of partitions for the table's writes.
        user_share: share of one partition's write units that one user's item uses.
        ramp_minutes: time until a new on-demand table sustains all writes, unless it is pre-warmed.
        quotas: the quotas to raise: name, required value, default value.
        dollars_hour: cost by service if all hours of the month are like this: prices fall with use.
        provisioned_dollars_hour: cost of the table's writes if provisioned for exactly this rate.
        direct_dollars_hour: total cost if a REST API called the table directly, without functions or logs.
        edge_requests_second: requests for segments; the edge checks the token of each.
        edge_dollars_hour: additional cost of those checks; twice that for live streams, as players reload the
            playlist for each segment.
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
        """The total cost per hour."""
        return sum(self.dollars_hour.values())

    @property
    def dollars_million_requests(self) -> float:
        """The total cost per million requests."""
        return self.dollars / (self.requests_second * HOUR / MILLION)


@dataclass(frozen=True)
class Month:
    """The cost of a month whose busiest hour has the viewers of an audience.

    Attributes:
        mean_viewers: mean over the hours of a day.
        constant_dollars: cost of the service if all hours were like the busiest.
        dollars: cost of the service on the curve.
        edge_dollars: cost of the edge's checks on the curve, for video on demand.
        subscribers: number of subscribers behind such an audience.
    """

    mean_viewers: float
    constant_dollars: float
    dollars: float
    edge_dollars: float
    subscribers: float

    @property
    def dollars_subscriber(self) -> float:
        """The service's cost per subscriber on the curve."""
        return self.dollars / self.subscribers


def charge_hour(use_hour: float, tiers: Sequence[Mapping[str, float]]) -> float:
    """Return the cost of an hour's use; each part of a month's use is priced by its own tier."""
    use = use_hour * MONTH_HOURS
    total = below = 0.0
    for tier in tiers:
        up_to = min(use, tier.get("up_to", math.inf))
        total += (up_to - below) * tier["price"]
        below = up_to
    return total / MONTH_HOURS


def heartbeats_per_play(audience: Audience) -> float:
    """Return the mean number of heartbeats; the last comes half an interval before the end, on average."""
    return max(audience.play_seconds / audience.heartbeat_seconds - 0.5, 0)


def requests_per_play(audience: Audience) -> float:
    """Return the number of requests: a start, an end and the heartbeats."""
    return 2 + heartbeats_per_play(audience)


def heartbeat_bytes(audience: Audience) -> float:
    """Return the mean size of what a heartbeat adds to its function's log."""
    sample = audience.log_sample
    if sample == 1:
        return audience.event_bytes + audience.lambda_lines_bytes
    shared = audience.shared_event_bytes + (sample - 1) * audience.values_bytes
    return (audience.event_bytes + shared) / sample


def capacity(audience: Audience, prices: Mapping[str, Any]) -> Capacity:
    """Return the capacity that this audience requires, at these prices and quotas."""
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
    """Return the cost of a month of such days.

    All prices are by use, and their tiers by a month's use, so only the mean of the curve matters.

    Args:
        audience: the viewers at the busiest hour.
        prices: the table of prices and quotas.
        curve: viewers in each hour of a day, on any scale.
        watch_hours: hours that a subscriber watches per day, over all screens.
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
    """Return the table of prices and quotas."""
    return tomllib.loads(PRICES.read_text(encoding="utf-8"))


def report(audience: Audience, needed: Capacity, a_month: Month, as_of: str) -> str:
    """Return the figures as text."""
    raised = [
        f"  raise {name}: {need:,.0f}, there are {available:,}" for name, need, available in needed.quotas
    ]
    dollars = ", ".join(f"{name} ${dollars:,.2f}" for name, dollars in needed.dollars_hour.items())
    edge = (
        f"${needed.edge_dollars_hour:,.2f} more per hour on demand, ${2 * needed.edge_dollars_hour:,.2f} live"
    )
    on_the_curve = f"${a_month.dollars:,.2f}, and the edge ${a_month.edge_dollars:,.2f}"
    lines = (
        f"{audience.viewers:,} viewers, a heartbeat every {audience.heartbeat_seconds:g} s",
        f"  {needed.requests_second:,.1f} requests/s, {needed.write_units_second:,.1f} write units/s",
        f"  {needed.concurrency:,} functions at once, at least {needed.partitions:,} partitions",
        f"  one user uses {needed.user_share:.4%} of a partition's write capacity",
        f"  a new on-demand table: {needed.ramp_minutes:g} minutes to reach this rate, unless pre-warmed",
        *(raised or ["  no quota to raise"]),
        f"  ${needed.dollars:,.2f} per hour: {dollars}",
        f"  ${needed.dollars_million_requests:.2f} per million requests",
        f"  ${needed.dollars / audience.viewers:.6f} per stream and hour",
        f"  writes provisioned for exactly this: ${needed.provisioned_dollars_hour:,.2f} per hour",
        f"  with a REST API that calls the table directly: ${needed.direct_dollars_hour:,.2f} per hour",
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
        sys.exit(f"make capacity: {name} must be a number above 0, not {text!r}")
    return value


def _given_sample() -> int:
    sample = _given("HEARTBEAT_LOG_SAMPLE", 1)
    if sample > MAX_SAMPLED or sample % 1:
        sys.exit(f"make capacity: HEARTBEAT_LOG_SAMPLE must be a whole number from 1 to {MAX_SAMPLED}")
    return int(sample)


def _given_url() -> bool:
    text = os.environ.get("HEARTBEAT_URL") or "false"
    if text not in {"true", "false"}:
        sys.exit(f"make capacity: HEARTBEAT_URL must be true or false, not {text!r}")
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
        sys.exit("make capacity: CURVE must be 24 numbers separated by commas, one per hour from midnight on")
    return curve


def given_audience() -> Audience:
    """Return the audience that the variables describe, without its number of viewers."""
    return Audience(
        viewers=1,
        heartbeat_seconds=_given("HEARTBEAT", 30),
        play_seconds=_given("PLAY_MINUTES", 60) * 60,
        heartbeat_url=_given_url(),
        log_sample=_given_sample(),
        segment_seconds=_given("SEGMENT_SECONDS", 6),
    )


def given_viewers(powers: Sequence[int]) -> list[int]:
    """Return the numbers of viewers to compute for: without VIEWERS, each of these powers of ten."""
    return [round(_given("VIEWERS", 1))] if os.environ.get("VIEWERS") else [10**power for power in powers]


def given_day() -> tuple[Sequence[float], float]:
    """Return the curve of viewers over a day, and the hours that a subscriber watches."""
    curve, watch_hours = _given_curve(), _given("WATCH_HOURS", 2)
    if watch_hours > DAY_HOURS:
        sys.exit(f"make capacity: WATCH_HOURS must be at most 24, not {watch_hours:g}")
    return curve, watch_hours


def main() -> None:
    """Read the variables and print the report; without VIEWERS, print one for each power of ten."""
    words("capacity", __doc__, VARIABLES)
    prices = load_prices()
    curve, watch_hours = given_day()
    given = given_audience()
    for viewers in given_viewers(range(3, 9)):
        audience = replace(given, viewers=viewers)
        a_month = month(audience, prices, curve, watch_hours)
        print(report(audience, capacity(audience, prices), a_month, prices["as_of"]))


if __name__ == "__main__":
    main()
