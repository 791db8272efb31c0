import heapq
import json
import random
import re
from itertools import count

import pytest

from adapters.dynamodb.metered import MeteredApi
from adapters.dynamodb.repository import DynamoDbStreamRepository
from adapters.store_calls import StoreCalls
from bench import capacity as command
from bench.calls import ENVIRONMENT, Handlers, StubTransport, lean_client_over
from bench.capacity import (
    EVENING,
    THROTTLING_RATE,
    Audience,
    capacity,
    charge_hour,
    heartbeat_bytes,
    load_prices,
    month,
    report,
)
from dev import ROOT
from domain.limiter import StreamLimiter
from domain.policy import Policy
from domain.requests import EndNamed, Heartbeat, StartNamed
from testing.fakes import FakeClock
from testing.simulated_dynamodb import SimulatedDynamoDb

PRICES = load_prices()
TRACE_ID = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
LINE = 26
"""Bytes that CloudWatch counts for each line on top."""
FUNCTION = 24
NAMES = 55 + FUNCTION
"""Bytes of the names of the call and the function on AWS, which an event here lacks."""
ON_AWS = 70 + 53 + 115 + 4 * LINE + NAMES
"""The remaining bytes: START, END and REPORT, and what is counted for each line and for the names."""


def test_a_million_viewers_cost_as_computed_by_hand() -> None:
    """A heartbeat a minute, plays of an hour: 61.5 requests a play, 61.5 million an hour, 44,895 a month."""
    needed = capacity(Audience(1_000_000, heartbeat_seconds=60), PRICES)

    assert needed.requests_second == pytest.approx(61_500_000 / 3600)
    assert needed.dollars_hour == pytest.approx(
        {
            "API Gateway": (300 * 1.00 + 44_595 * 0.90) / 730,
            "DynamoDB": 38.4375,
            "Lambda": 12.30 + 307_500 * 0.0000133334,  # 61.5 million times 10 ms times half a GB
            "logs": (5_000 + 5_000 + 2_000 + 23_178.85 * 0.05)
            / 730,  # 73,178.85 GB: three tiers, and the rest
            "metrics": 12.6 / 730,
        }
    )
    assert needed.dollars == pytest.approx(128.2719, abs=0.0001)
    assert needed.dollars_million_requests == pytest.approx(2.0857, abs=0.0001)
    rest = (333 * 3.50 + 667 * 2.80 + 19_000 * 2.38 + 24_895 * 1.51) / 730
    assert needed.direct_dollars_hour == pytest.approx(38.4375 + rest)
    assert needed.provisioned_dollars_hour == pytest.approx(17_083.333 * 0.00065)
    assert (needed.concurrency, needed.partitions) == (171, 18)
    assert [quota[0] for quota in needed.quotas] == [
        "Terraform's throttling_rate",
        "API Gateway requests per second",
    ]
    assert needed.ramp_minutes == 90  # 4,000, 8,000, 16,000, 32,000


@pytest.mark.parametrize(("segment_seconds", "requests", "dollars"), [(6, 600, 78.00), (2, 1800, 234.00)])
def test_the_edge_costs_as_computed_by_hand(segment_seconds: float, requests: int, dollars: float) -> None:
    """A million viewers cost a function at $0.10 and a read at $0.03 a million for each segment."""
    needed = capacity(Audience(1_000_000, segment_seconds=segment_seconds), PRICES)

    assert needed.edge_requests_second * 3600 == pytest.approx(1_000_000 * requests)
    assert needed.edge_dollars_hour == pytest.approx(dollars)
    assert needed.dollars == capacity(Audience(1_000_000), PRICES).dollars, (
        "it is not in the service's own bill"
    )


def test_the_report_has_the_edge_on_demand_and_live() -> None:
    """A live player makes twice the requests, because it loads its playlist again with each segment."""
    audience = Audience(1_000_000, segment_seconds=4)
    printed = report(audience, capacity(audience, PRICES), month(audience, PRICES), "2025-11")
    assert "the edge: $117.00 more per hour on demand, $234.00 live, with segments of 4 s" in printed


def test_a_month_of_evenings_costs_as_computed_by_hand() -> None:
    """A million at the peak are 500,000 on average: 30.75 million requests an hour, 22,447.5 in a month."""
    evenings = month(Audience(1_000_000, heartbeat_seconds=60), PRICES)

    gateway = 300 * 1.00 + 22_147.5 * 0.90
    functions = 22_447.5 * 0.20 + 112_237_500 * 0.0000133334  # 22,447.5 million times 10 ms times half a GB
    logs = 10_000 * 0.50 + 20_000 * 0.25 + 6_589.425 * 0.10  # 36,589.425 GB
    assert evenings.dollars == pytest.approx(gateway + 22_447.5 * 0.625 + functions + logs + 12.6)
    assert evenings.constant_dollars == pytest.approx(730 * 128.2719, abs=0.1)
    assert evenings.mean_viewers == 500_000
    assert evenings.edge_dollars == pytest.approx(500_000 * 600 * 730 / 1_000_000 * 0.13)
    assert evenings.subscribers == 6_000_000  # 12 million hours a day, two for each
    assert evenings.dollars_subscriber == pytest.approx(0.008487, abs=0.000001)


def test_a_month_follows_its_own_curve() -> None:
    """6 hours at 200 and 18 at none: a quarter of the peak on average, 4 hours a day per subscriber."""
    some = month(Audience(1000), PRICES, (0,) * 18 + (200,) * 6, watch_hours=4)
    millions = 0.03375 * 250 * 3600 * 730 / 1_000_000  # as many as 250 viewers ask for in 730 hours

    assert some.mean_viewers == 250
    assert some.subscribers == 1500
    request = 1.00 + 0.625 + 0.20 + 5000 * 0.0000133334 + 1.63 * 0.50
    assert some.dollars == pytest.approx(millions * request + 12.6)
    assert some.constant_dollars == pytest.approx(4 * millions * request + 12.6)


def test_the_evening_curve_has_the_published_points() -> None:
    """The evening curve is a fifth at the bottom, highest from 8 to 10 p.m., and half on average."""
    assert (len(EVENING), sum(EVENING) / 24, min(EVENING)) == (24, 50, 20)
    assert sorted(sorted(range(24), key=EVENING.__getitem__)[-2:]) == [20, 21]


def test_the_report_has_the_month(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report has the busiest hour's load throughout, the curve's month, and one subscriber's share."""
    monkeypatch.setenv("VIEWERS", "1000")
    monkeypatch.setenv("CURVE", ",".join(["0"] * 18 + ["200"] * 6))
    monkeypatch.setenv("WATCH_HOURS", "4")
    command.main()
    printed = capsys.readouterr().out
    assert "a month with every hour like this: $252.67\n" in printed
    assert "a month with this at the peak, 250 viewers on average: $72.62, and the edge $14.23\n" in printed
    assert "of 1,500 subscribers, each $0.0484 a month\n" in printed


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("CURVE", "1,2", "CURVE must be 24 numbers"),
        ("CURVE", ",".join(["0"] * 24), "CURVE must be 24 numbers"),
        ("CURVE", ",".join(["-1"] + ["1"] * 23), "CURVE must be 24 numbers"),
        ("CURVE", ",".join(["nan"] + ["1"] * 23), "CURVE must be 24 numbers"),
        ("CURVE", "evening", "CURVE must be 24 numbers"),
        ("WATCH_HOURS", "0", "WATCH_HOURS must be a number above 0"),
        ("WATCH_HOURS", "25", "WATCH_HOURS must be at most 24"),
    ],
)
def test_an_impossible_day_is_an_error(
    name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An impossible day is an error, and nothing is computed from it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=f"make capacity: {why}"):
        command.main()


def test_a_thousand_viewers_need_nothing_special() -> None:
    """Two heartbeats a minute are 121.5 requests per play, 33.75 a second."""
    needed = capacity(Audience(1000), PRICES)

    assert needed.requests_second == pytest.approx(33.75)
    assert (needed.concurrency, needed.partitions, needed.quotas, needed.ramp_minutes) == (1, 1, (), 0)
    assert needed.user_share == pytest.approx(3 * 0.03375 / 1000)


def test_a_hundred_million_viewers_exceed_every_quota() -> None:
    """A hundred million viewers need every quota raised in advance."""
    assert len(capacity(Audience(100_000_000), PRICES).quotas) == 4


@pytest.mark.parametrize(("use", "dollars"), [(0, 0), (300, 300), (301, 300.90), (1300, 1200)])
def test_each_part_of_a_months_use_has_its_tiers_price(use: float, dollars: float) -> None:
    """The first 300 cost 1.00 each, and all that follow 0.90."""
    tiers = PRICES["api_gateway"]["http_call_million"]
    assert charge_hour(use / 730, tiers) * 730 == pytest.approx(dollars)


def test_the_throttling_rate_is_terraforms_own() -> None:
    """The model's throttling rate is Terraform's, at which a stage throttles long before the account does."""
    variables = (ROOT / "terraform" / "variables.tf").read_text()
    block = variables[variables.index('variable "throttling_rate"') :]
    assert int(re.findall(r"default += (\d+)", block)[0]) == THROTTLING_RATE


@pytest.mark.parametrize("name", ["start", "heartbeat", "end"])
def test_a_request_logs_as_much_as_the_model_assumes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request logs one event, Lambda's own lines, and what CloudWatch counts for each line."""
    for variable, value in {**ENVIRONMENT, "_X_AMZN_TRACE_ID": TRACE_ID}.items():
        monkeypatch.setenv(variable, value)
    Handlers(lean_client_over(StubTransport()), "logged").stream("logged", "play-1")[name]()

    event = len(capsys.readouterr().out)
    assert event + ON_AWS == pytest.approx(Audience.event_bytes + Audience.lambda_lines_bytes, rel=0.05)
    assert event + NAMES + LINE == pytest.approx(Audience.event_bytes, rel=0.05)


def test_sampled_heartbeats_log_as_much_as_the_model_assumes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred heartbeats leave one event of their own, and one with the values of the others."""
    for variable, value in {
        **ENVIRONMENT,
        "_X_AMZN_TRACE_ID": TRACE_ID,
        "HEARTBEAT_LOG_SAMPLE": "100",
    }.items():
        monkeypatch.setenv(variable, value)
    heartbeat = Handlers(lean_client_over(StubTransport()), "logged").stream("logged", "play-1")["heartbeat"]
    for _ in range(100):
        heartbeat()

    own, shared = capsys.readouterr().out.splitlines(keepends=True)
    audience = Audience(1, log_sample=100)
    assert len(own) + NAMES + LINE == pytest.approx(audience.event_bytes, rel=0.05)
    assert len(shared) + FUNCTION + LINE == pytest.approx(
        audience.shared_event_bytes + 99 * audience.values_bytes, rel=0.08
    )
    assert heartbeat_bytes(audience) == pytest.approx((1080 + 700 + 99 * 20) / 100)


def test_a_request_through_the_gateway_logs_as_much_as_the_model_assumes() -> None:
    """The access log has a line for each request, of the fields that Terraform names."""
    values = {
        "requestId": "OaBcIgkZliAEMuA=",
        "apiId": "a1b2c3d4e5",
        "routeKey": "POST /stream/heartbeat",
        "status": "200",
        "responseLatency": "14",
        "integrationStatus": "200",
    }
    named = re.findall(r'(\w+) += "\$context\.([\w.]+)"', (ROOT / "terraform" / "api.tf").read_text())
    line = {name: values.get(variable, "-") for name, variable in named}

    assert values.keys() <= {variable for _, variable in named}
    assert len(json.dumps(line, separators=(",", ":"))) + LINE == pytest.approx(
        Audience.access_log_bytes, rel=0.05
    )


def test_the_model_counts_as_many_calls_as_a_simulated_audience_makes() -> None:
    """10,000 players, through the real use cases and adapter, make as many calls as the model counts."""
    audience = Audience(10_000, heartbeat_seconds=600, play_seconds=1800)
    clock, calls = FakeClock(), StoreCalls()
    api = MeteredApi(SimulatedDynamoDb(), calls)
    repository = DynamoDbStreamRepository(api, "streams", attempt_seconds=1)
    limiter = StreamLimiter(repository, clock, Policy(lease_seconds=1800, heartbeat_seconds=600))
    chance = random.Random(1)  # noqa: S311 - a made-up audience
    plays = count()

    def length() -> float:
        return chance.uniform(0.5, 1.5) * audience.play_seconds

    def start(player: int) -> str:
        stream_id = f"play-{next(plays)}"
        limiter.start(StartNamed(f"user-{player // 3}", stream_id, 3))
        return stream_id

    # Each player is somewhere in a play, more often in a long one: its end and its heartbeat are drawn.
    began = clock.now()
    agenda = []
    for player in range(10_000):
        (this_length,) = chance.choices(lengths := [length() for _ in range(10)], lengths)
        ends = began + chance.random() * this_length
        beats = began + chance.random() * audience.heartbeat_seconds
        agenda.append((min(beats, ends), player, start(player), ends))
    heapq.heapify(agenda)
    calls.reset()

    while agenda[0][0] < began + audience.play_seconds:
        at, player, stream_id, ends = heapq.heappop(agenda)
        clock.advance(at - clock.now())
        user = f"user-{player // 3}"
        if at < ends:
            limiter.heartbeat(Heartbeat(user, stream_id))
        else:
            limiter.end(EndNamed(user, stream_id))
            stream_id, ends = start(player), at + length()
        heapq.heappush(agenda, (min(at + audience.heartbeat_seconds, ends), player, stream_id, ends))

    called = calls.count / audience.play_seconds
    assert called == pytest.approx(capacity(audience, PRICES).requests_second, rel=0.02)
