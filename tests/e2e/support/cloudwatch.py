"""The parts of CloudWatch that the emulator lacks: metrics from logs, and the states of alarms.

The emulator keeps logs, metric filters, alarms and their states. It reads no metrics from logs, drops metric
mathematics, and evaluates a plain alarm over all dimensions of its metric at once, whatever its periods. So
these steps are made here, as CloudWatch documents them. Time is counted in whole minutes.
"""

import json
import operator
import re
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from dev.tools.terraform import run_terraform
from tests.e2e.support.watched_stage import WatchedStage, environment
from tests.support.documented import values_of

State = Literal["OK", "ALARM"]
ANOMALY: Final = "LessThanLowerOrGreaterThanUpperThreshold"
# The forms of metric mathematics and of filter patterns that Terraform uses:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
SHARE: Final = re.compile(r"IF\((?P<whole>\w+) >= (?P<least>\d+), (?P<part>\w+) / (?P=whole), 0\)")
FIELD: Final = re.compile(r"\$\.(\w+)")
FIELD_IS_TEXT: Final = re.compile(r'\$\.(\w+) = "([^"*]+)"')


@dataclass(frozen=True)
class Metric:
    """A metric: the same name under other dimensions is another metric."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, namespace: str, name: str, **dimensions: str) -> "Metric":
        """Return the metric with these dimensions."""
        return cls(namespace, name, frozenset(dimensions.items()))


class Metrics:
    """Every value of every metric, by the minute."""

    def __init__(self) -> None:
        self._values: dict[Metric, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))

    def __contains__(self, metric: Metric) -> bool:
        return metric in self._values

    def put(self, minute: int, metric: Metric, *values: float) -> None:
        """Add values to a minute."""
        self._values[metric][minute].extend(values)

    def put_embedded(self, minute: int, event: Mapping[str, Any]) -> None:
        """Add the metrics of an event in CloudWatch's embedded format."""
        for directive in event["_aws"]["CloudWatchMetrics"]:
            for dimensions in directive["Dimensions"]:
                named = frozenset((name, event[name]) for name in dimensions)
                for metric in directive["Metrics"]:
                    name = metric["Name"]
                    self.put(minute, Metric(directive["Namespace"], name, named), *values_of(event, name))

    def value(self, metric: Metric, stat: str, minutes: range) -> float | None:
        """Return a statistic over these minutes; None where the metric has no value in them."""
        values = [value for minute in minutes for value in self._values.get(metric, {}).get(minute, [])]
        if not values:
            return None
        match stat:
            case "Sum":
                return sum(values)
            case "Average":
                return statistics.fmean(values)
            case "SampleCount":
                return len(values)
            case "p99":
                return sorted(values)[round(0.99 * (len(values) - 1))]
        raise NotImplementedError(stat)


@dataclass(frozen=True)
class Query:
    """One line of an alarm: a metric's statistic, or an expression over the others."""

    metric: Metric | None
    stat: str = ""
    minutes: int = 1
    expression: str = ""


@dataclass(frozen=True)
class Alarm:
    """An alarm as Terraform describes it."""

    name: str
    description: str
    comparison: str
    threshold: float
    periods: int
    queries: Mapping[str, Query]
    watched: str
    band: str | None = None
    """The query that returns the usual value, in place of a threshold."""
    learned_from: list[float] = field(default_factory=list)
    """The values of the watched metric while all was well."""

    @classmethod
    def planned(cls, values: Mapping[str, Any]) -> "Alarm":
        """Read a resource's planned values."""
        assert values["treat_missing_data"] == "notBreaching"
        assert not values["datapoints_to_alarm"], "every period of the evaluation counts"
        lines = values["metric_query"] or [{"id": "it", "return_data": True, "metric": [values]}]
        band = values["threshold_metric_id"]
        return cls(
            name=values["alarm_name"],
            description=values["alarm_description"],
            comparison=values["comparison_operator"],
            threshold=values["threshold"] or 0,
            periods=values["evaluation_periods"],
            queries={line["id"]: _query(line) for line in lines},
            watched=next(line["id"] for line in lines if line["return_data"] and line["id"] != band),
            band=band,
        )

    def learn(self, metrics: Metrics, minutes: int) -> None:
        """Take the first minutes as the usual ones."""
        if self.band:
            step = self.queries[self.watched].minutes
            values = [self._value(metrics, range(n, n + step)) for n in range(0, minutes, step)]
            self.learned_from.extend(value for value in values if value is not None)

    def state(self, metrics: Metrics, now: int) -> State:
        """Return the state after the minute `now`: ALARM when each of the last periods breaches."""
        step = max(query.minutes for query in self.queries.values())
        end = (now + 1) // step * step
        periods = [range(end - (n + 1) * step, end - n * step) for n in range(self.periods)]
        return "ALARM" if all(self._breaches(self._value(metrics, period)) for period in periods) else "OK"

    def _breaches(self, value: float | None) -> bool:
        if value is None:  # missing data is not breaching
            return False
        if self.band:
            if not self.learned_from:
                return False
            low, high = self._usual()
            return not low <= value <= high
        above = {"GreaterThanThreshold": operator.gt, "GreaterThanOrEqualToThreshold": operator.ge}
        return bool(above[self.comparison](value, self.threshold))

    def _usual(self) -> tuple[float, float]:
        """Return the usual value: here an hour's mean and deviation, where CloudWatch learns two weeks."""
        assert self.band
        assert self.comparison == ANOMALY
        found = re.fullmatch(r"ANOMALY_DETECTION_BAND\((\w+), (\d+)\)", self.queries[self.band].expression)
        assert found
        assert found[1] == self.watched
        mean = statistics.fmean(self.learned_from)
        width = int(found[2]) * statistics.pstdev(self.learned_from)
        return mean - width, mean + width

    def _value(self, metrics: Metrics, period: range) -> float | None:
        values = {
            name: metrics.value(query.metric, query.stat, period)
            for name, query in self.queries.items()
            if query.metric
        }
        expression = self.queries[self.watched].expression
        if not expression:
            return values[self.watched]
        if expression == "SUM(METRICS())":
            there = [value for value in values.values() if value is not None]
            return sum(there) if there else None
        share = SHARE.fullmatch(expression)
        assert share, f"not evaluated here: {expression}"
        part, whole = (values[share[name]] for name in ("part", "whole"))
        if part is None or not whole:
            return None
        return part / whole if whole >= int(share["least"]) else 0


@dataclass(frozen=True)
class MetricFilter:
    """A metric filter as Terraform describes it: it counts the lines of a log that match."""

    namespace: str
    name: str
    texts: Mapping[str, str]
    """The text that each of these fields of the line must have."""
    dimensions: Mapping[str, str]
    """The field of the line that each dimension is taken from."""

    @classmethod
    def planned(cls, values: Mapping[str, Any]) -> "MetricFilter":
        """Read a resource's planned values."""
        braced = re.fullmatch(r"\{ (.+) \}", values["pattern"])
        terms = [FIELD_IS_TEXT.fullmatch(term) for term in braced[1].split(" && ")] if braced else [None]
        assert all(terms), f"not evaluated here: {values['pattern']}"
        (made,) = values["metric_transformation"]
        assert made["value"] == "1"
        assert not made["default_value"], "CloudWatch takes none beside dimensions"
        selectors = {name: FIELD.fullmatch(selector) for name, selector in made["dimensions"].items()}
        return cls(
            namespace=made["namespace"],
            name=made["name"],
            texts={term[1]: term[2] for term in terms if term},
            dimensions={name: field[1] for name, field in selectors.items() if field},
        )

    def count(self, line: str) -> Metric | None:
        """Return the metric that a line counts for; None if it does not match, or is not JSON."""
        try:
            fields = json.loads(line)
        except ValueError:
            return None
        if any(fields.get(field) != text for field, text in self.texts.items()):  # a number is not text
            return None
        return Metric.of(
            self.namespace, self.name, **{name: fields[field] for name, field in self.dimensions.items()}
        )


@dataclass(frozen=True)
class Monitoring:
    """Terraform's plan of a stage: the emulator keeps alarms without their mathematics.

    Attributes:
        access_log: the form of its lines, with `$context` variables.
    """

    alarms: Sequence[Alarm]
    filters: Sequence[MetricFilter]
    access_log: str

    def line(self, **context: str) -> str:
        """Return a line of the access log; API Gateway writes `-` for a missing value."""
        return re.sub(r"\$context\.([\w.]+)", lambda name: context.get(name[1], "-"), self.access_log)


def monitoring(stage: WatchedStage) -> Monitoring:
    """Read Terraform's plan of this stage."""
    settings = stage.project / "terraform" / "stages" / f"{stage.stage}.tfvars"
    inputs = [f"-var-file={settings}", f"-var=stage={stage.stage}", f"-var=package_path={stage.package}"]
    account = environment(stage.emulator)
    run_terraform(
        stage.configuration, "plan", "-refresh=false", "-out=alarms.tfplan", *inputs, environment=account
    )
    plan = json.loads(
        run_terraform(stage.configuration, "show", "-json", "alarms.tfplan", environment=account)
    )
    planned = defaultdict(list)
    for resource in plan["planned_values"]["root_module"]["resources"]:
        planned[resource["type"]].append(resource["values"])
    (api,) = planned["aws_apigatewayv2_stage"]
    return Monitoring(
        [Alarm.planned(values) for values in planned["aws_cloudwatch_metric_alarm"]],
        [MetricFilter.planned(values) for values in planned["aws_cloudwatch_log_metric_filter"]],
        api["access_log_settings"][0]["format"],
    )


def _query(line: Mapping[str, Any]) -> Query:
    if not line["metric"]:
        return Query(None, expression=line["expression"])
    (metric,) = line["metric"]
    named = Metric.of(metric["namespace"], metric["metric_name"], **metric["dimensions"])
    stat = metric.get("stat") or metric.get("extended_statistic") or metric["statistic"]
    assert metric["period"] % 60 == 0
    return Query(named, stat, metric["period"] // 60)
