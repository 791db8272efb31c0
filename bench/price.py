"""The cost of the service as deployed by default, and with the settings that make heartbeats cheap.

`make capacity` prints it after the capacity, with the goal and whether it is met.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bench.capacity import (
    EVENING,
    MAX_SAMPLED,
    VARIABLES,
    Audience,
    capacity,
    given_audience,
    given_day,
    given_viewers,
    load_prices,
    month,
)
from dev.tools.command import words

GOAL: Final = 0.5
"""The goal as a share of the default's price at this number of viewers."""
GOAL_VIEWERS: Final = 1_000_000
POWERS: Final = range(3, 8)
SIZES: Final = [10**power for power in POWERS]
"""The numbers of viewers to compare."""


@dataclass(frozen=True)
class Price:
    """The cost of an audience, in dollars.

    Attributes:
        million_requests: at the busiest hour, as are the next two fields.
        services: the same, by service.
        stream_hour: for one stream.
        subscriber_month: on the curve of a day.
    """

    million_requests: float
    services: Mapping[str, float]
    stream_hour: float
    subscriber_month: float


def price(
    audience: Audience,
    prices: Mapping[str, Any],
    curve: Sequence[float] = EVENING,
    watch_hours: float = 2,
) -> Price:
    """Return the cost of this audience."""
    needed = capacity(audience, prices)
    millions_hour = needed.dollars / needed.dollars_million_requests
    return Price(
        million_requests=needed.dollars_million_requests,
        services={name: dollars / millions_hour for name, dollars in needed.dollars_hour.items()},
        stream_hour=needed.dollars / audience.viewers,
        subscriber_month=month(audience, prices, curve, watch_hours).dollars_subscriber,
    )


def by_default(audience: Audience) -> Audience:
    """Return the audience of a service with neither setting."""
    return replace(audience, heartbeat_url=False, log_sample=1)


def at_its_cheapest(audience: Audience) -> Audience:
    """Return the audience of a service with both settings at their cheapest."""
    return replace(audience, heartbeat_url=True, log_sample=MAX_SAMPLED)


def settings(audience: Audience) -> str:
    """Return the settings as written in Terraform."""
    return (
        f"heartbeat_url = {str(audience.heartbeat_url).lower()}, heartbeat_log_sample = {audience.log_sample}"
    )


def report(
    audience: Audience,
    viewers: Sequence[int],
    prices: Mapping[str, Any],
    curve: Sequence[float] = EVENING,
    watch_hours: float = 2,
) -> str:
    """Return the prices before and after, the effect of each setting, and the goal, as text."""
    header = (
        f"{'viewers':>12} {'$ per million requests':>26} {'$ per 1,000 stream-hours':>27}"
        f" {'$ per subscriber and month':>29}"
    )
    lines = [f"Price by default, and with {settings(audience)}", header]
    for count in viewers:
        before, after = (
            price(replace(one, viewers=count), prices, curve, watch_hours)
            for one in (by_default(audience), audience)
        )
        lines.append(
            f"{count:>12,}"
            f"{_pair(before.million_requests, after.million_requests, 3, 27)}"
            f"{_pair(1000 * before.stream_hour, 1000 * after.stream_hour, 3, 28)}"
            f"{_pair(before.subscriber_month, after.subscriber_month, 5, 30)}"
        )
    return "\n".join([*lines, *_goal(replace(audience, viewers=GOAL_VIEWERS), prices)])


def _goal(audience: Audience, prices: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines with the effect of each setting on this audience, and whether the goal is met."""
    default = by_default(audience)
    whole = _million_requests(default, prices)

    def share(one: Audience) -> float:
        return _million_requests(one, prices) / whole

    yield f"Of the default's price at {audience.viewers:,} viewers:"
    for one in (
        replace(default, heartbeat_url=True),
        replace(default, log_sample=MAX_SAMPLED),
        at_its_cheapest(default),
    ):
        yield f"  {share(one):.3f} with {settings(one)}"
    enough = (
        n for n in range(1, MAX_SAMPLED + 1) if share(replace(at_its_cheapest(default), log_sample=n)) <= GOAL
    )
    least = next(enough, None)
    is_met = "NOT MET" if least is None else f"met with both, from heartbeat_log_sample = {least} on"
    yield f"  goal: at most {GOAL}, {is_met}"


def _million_requests(audience: Audience, prices: Mapping[str, Any]) -> float:
    return capacity(audience, prices).dollars_million_requests


def described(prices: Mapping[str, Any]) -> str:
    """Return the alternative text of the plot of prices."""
    pairs = (
        (size, *(_million_requests(one(Audience(size)), prices) for one in (by_default, at_its_cheapest)))
        for size in SIZES
    )
    return "; ".join(f"{size:,} viewers: ${before:.3f}, ${after:.3f}" for size, before, after in pairs)


def _pair(before: float, after: float, digits: int, width: int) -> str:
    return f"{before:.{digits}f} -> {after:.{digits}f} ({after / before:.2f})".rjust(width)


def main() -> None:
    """Read the variables and print the comparison; if neither setting is given, compare with both."""
    words("capacity", __doc__, VARIABLES)
    audience = given_audience()
    if audience == by_default(audience):
        audience = at_its_cheapest(audience)
    print(report(audience, given_viewers(POWERS), load_prices(), *given_day()))


if __name__ == "__main__":
    main()
