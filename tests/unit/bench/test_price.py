import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from bench import price as command
from bench.capacity import Audience, capacity, heartbeat_bytes, load_prices
from bench.price import GOAL, GOAL_VIEWERS, SIZES, at_its_cheapest, by_default, described, price, report
from dev import ROOT

PRICES = load_prices()

# A heartbeat every 30 s and plays of an hour: 121.5 requests a play, 119.5 of them heartbeats. A million
# viewers make 121.5 million requests an hour: 88,695 million a month of 730 hours, 87,235 of them heartbeats.
DATABASE = 88_695 * 0.625
FUNCTIONS = 88_695 * 0.20 + 443_475_000 * 0.0000133334  # 88,695 million times 10 ms times half a GB
METRICS = 42 * 0.30
GATEWAY = 300 * 1.00 + 88_395 * 0.90
GATEWAY_WITHOUT_HEARTBEATS = 300 * 1.00 + 1_160 * 0.90  # of 1,460 million starts and ends

# Gigabytes a month. A request: an event of 1,080 bytes, Lambda's lines of 320, API Gateway's line of 230.
# A sampled heartbeat: (1,080 + 700 + 99 * 20) / 100 = 37.6 bytes, and no line of Lambda's.
LOGS = {
    (False, 1): 12_000 + 94_572.85 * 0.05,  # 88,695 * 1.630 = 144,572.85 GB; 12,000 for the first 50,000
    (True, 1): 12_000 + 74_508.8 * 0.05,  # 1,460 * 1.630 + 87,235 * 1.400 = 124,508.8 GB
    (False, 100): 5_000
    + 15_723.886 * 0.25,  # 88,695 * 0.230 + 1,460 * 1.400 + 87,235 * 0.0376 = 25,723.886 GB
    (True, 100): 5_659.836 * 0.50,  # 1,460 * 1.630 + 87,235 * 0.0376 = 5,659.836 GB
}


@pytest.mark.parametrize(("heartbeat_url", "log_sample"), LOGS)
def test_a_million_viewers_cost_as_computed_by_hand(*, heartbeat_url: bool, log_sample: int) -> None:
    """Each setting alone, and both together, cost what was computed by hand, service by service."""
    audience = Audience(1_000_000, heartbeat_url=heartbeat_url, log_sample=log_sample)
    dollars_month = {name: 730 * dollars for name, dollars in capacity(audience, PRICES).dollars_hour.items()}

    assert dollars_month == pytest.approx(
        {
            "API Gateway": GATEWAY_WITHOUT_HEARTBEATS if heartbeat_url else GATEWAY,
            "DynamoDB": DATABASE,
            "Lambda": FUNCTIONS,
            "logs": LOGS[heartbeat_url, log_sample],
            "metrics": METRICS,
        }
    )


def test_a_million_viewers_have_the_price_computed_by_hand() -> None:
    """$175,683 a month are $1.98 a million requests by default; $83,273 are $0.94 with both: 0.474 of it."""
    default = GATEWAY + DATABASE + FUNCTIONS + LOGS[False, 1] + METRICS
    cheapest = GATEWAY_WITHOUT_HEARTBEATS + DATABASE + FUNCTIONS + LOGS[True, 100] + METRICS
    before, after = (price(of(Audience(1_000_000)), PRICES) for of in (by_default, at_its_cheapest))

    assert (default, cheapest) == pytest.approx((175_683.15, 83_272.92), abs=0.01)
    assert before.million_requests == pytest.approx(default / 88_695)
    assert after.million_requests == pytest.approx(cheapest / 88_695)
    assert before.stream_hour == pytest.approx(default / 730 / 1_000_000)
    assert after.stream_hour == pytest.approx(cheapest / 730 / 1_000_000)
    assert after.million_requests / before.million_requests == pytest.approx(0.474, abs=0.0005)
    assert sum(after.services.values()) == pytest.approx(after.million_requests)


def test_lambdas_lines_would_cost_what_their_decision_says() -> None:
    """The decision has the bytes that a sampled heartbeat would log with Lambda's lines, and the price."""
    audience = at_its_cheapest(Audience(1_000_000))
    lines = audience.log_sample * audience.lambda_lines_bytes
    with_lines = replace(audience, shared_event_bytes=audience.shared_event_bytes + lines)
    share = price(with_lines, PRICES).million_requests / price(by_default(audience), PRICES).million_requests
    decision = (ROOT / "docs" / "adr" / "0025-sampled-heartbeats.md").read_text(encoding="utf-8")

    assert f"would still log {heartbeat_bytes(with_lines):.0f} bytes" in decision
    assert f"at a million viewers would be {share:.3f} of" in decision


def test_a_subscribers_month_costs_as_computed_by_hand() -> None:
    """1,000 viewers at the peak are 500 on average: 44.3475 million requests a month, 6,000 subscribers."""
    requests = 44.3475 * (0.625 + 0.20 + 5_000 * 0.0000133334)
    gateway = 0.73 * 1.00  # million starts and ends
    logs = (0.73 * 1.630 + 43.6175 * 0.0376) * 0.50
    month = requests + gateway + logs + METRICS

    assert price(at_its_cheapest(Audience(1000)), PRICES).subscriber_month == pytest.approx(month / 6_000)


def test_gateway_quotas_do_not_count_heartbeats_to_the_url() -> None:
    """Starts and ends of a million viewers are 556 requests a second, below every quota of API Gateway."""
    assert [name for name, *_ in capacity(Audience(1_000_000), PRICES).quotas] == [
        "Terraform's throttling_rate",
        "API Gateway requests per second",
    ]
    assert capacity(Audience(1_000_000, heartbeat_url=True), PRICES).quotas == ()


def test_a_price_of_function_urls_is_included() -> None:
    """With function URLs, free today, at $1 a million requests, 87,235 million heartbeats would cost that."""
    dearer: dict[str, Any] = {**PRICES, "lambda": {**PRICES["lambda"], "function_url_million": 1.00}}
    audience = Audience(1_000_000, heartbeat_url=True)
    more = capacity(audience, dearer).dollars - capacity(audience, PRICES).dollars

    assert more * 730 == pytest.approx(87_235)


def test_the_report_has_each_decade_and_the_goal() -> None:
    """The report has, for each size, both prices, their ratio, the effect of each setting, and the goal."""
    lines = report(at_its_cheapest(Audience(1)), SIZES, PRICES).splitlines()

    assert lines[0] == "Price by default, and with heartbeat_url = true, heartbeat_log_sample = 100"
    assert [line.split()[0] for line in lines[2:7]] == [f"{10**power:,}" for power in range(3, 8)]
    assert lines[5].split() == [
        *("1,000,000", "1.981", "->", "0.939", "(0.47)"),
        *("0.241", "->", "0.114", "(0.47)", "0.01544", "->", "0.00694", "(0.45)"),
    ]
    assert lines[7:] == [
        "Of the default's price at 1,000,000 viewers:",
        "  0.547 with heartbeat_url = true, heartbeat_log_sample = 1",
        "  0.956 with heartbeat_url = false, heartbeat_log_sample = 100",
        "  0.474 with heartbeat_url = true, heartbeat_log_sample = 100",
        "  goal: at most 0.5, met with both, from heartbeat_log_sample = 10 on",
    ]


def test_a_missed_goal_is_reported_as_missed() -> None:
    """With DynamoDB twice as dear, both settings miss the goal, and the report says so."""
    dearer: dict[str, Any] = {
        **PRICES,
        "dynamodb": {**PRICES["dynamodb"], "on_demand_write_unit_million": 1.25},
    }

    assert report(at_its_cheapest(Audience(1)), [], dearer).endswith("goal: at most 0.5, NOT MET")


def test_a_sample_of_ten_just_meets_the_goal() -> None:
    """A heartbeat logs (1,080 + 700 + 9 * 20) / 10 = 196 bytes at ten; 215.6 at nine are too much."""
    default = price(Audience(GOAL_VIEWERS), PRICES).million_requests
    of_ten, of_nine = (
        price(Audience(GOAL_VIEWERS, heartbeat_url=True, log_sample=sample), PRICES).million_requests
        for sample in (10, 9)
    )
    # 1,460 * 1.630 + 87,235 * 0.196 = 19,477.86 GB
    ten = GATEWAY_WITHOUT_HEARTBEATS + DATABASE + FUNCTIONS + 5_000 + 9_477.86 * 0.25 + METRICS

    assert (GOAL, GOAL_VIEWERS) == (0.5, 1_000_000)
    assert of_ten == pytest.approx(ten / 88_695)
    assert of_ten <= GOAL * default < of_nine


@pytest.mark.parametrize(
    ("variables", "compared"),
    [
        ({}, "heartbeat_url = true, heartbeat_log_sample = 100"),
        ({"HEARTBEAT_URL": "true"}, "heartbeat_url = true, heartbeat_log_sample = 1"),
        ({"HEARTBEAT_LOG_SAMPLE": "10"}, "heartbeat_url = false, heartbeat_log_sample = 10"),
    ],
)
def test_the_default_is_compared_with_the_given_settings(
    variables: dict[str, str],
    compared: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The default is compared with the given settings, or with both if none is given."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    command.main()

    assert capsys.readouterr().out.startswith(f"Price by default, and with {compared}\n")


@pytest.mark.parametrize(
    ("name", "value"),
    [("HEARTBEAT_URL", "yes"), ("HEARTBEAT_LOG_SAMPLE", "101"), ("HEARTBEAT_LOG_SAMPLE", "1.5")],
)
def test_an_impossible_setting_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An impossible setting is an error, and nothing is computed from it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=f"make capacity: {name} must be"):
        command.main()


def test_the_plot_shows_todays_prices() -> None:
    """The drawn file has the model's present figures; otherwise run `make plots`."""
    drawn = (ROOT / "docs" / "plots" / "price.svg").read_text(encoding="utf-8")
    (words,) = re.findall(r"<dc:description>(.*?)</dc:description>", drawn, re.DOTALL)

    assert unescape(words) == described(PRICES)
