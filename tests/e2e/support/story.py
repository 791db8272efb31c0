"""An hour of a deployed service in about a minute: calls, and CloudWatch's view of their traces.

A minute of the story ends when its calls are answered, so it holds what the story says, however fast the
machine is. Leases expire when the story says so: the table is changed for that.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
from botocore.credentials import Credentials

from adapters.dynamodb.items import STREAM_PREFIX, key
from tests.e2e.support.cloudwatch import Metric, Metrics, Monitoring, State
from tests.e2e.support.target import signature
from tests.e2e.support.watched_stage import WatchedStage
from tests.support.service import expire


@dataclass(frozen=True)
class Call:
    """A call of a player's; by another method than POST, of an operator's, about all of a user's streams."""

    route: str
    user: str
    stream: str
    method: str = "POST"


@dataclass
class Story:
    """The service on the emulator, and CloudWatch's view of it.

    Attributes:
        http: the client of players.
        monitoring: what Terraform plans to watch it with.
        admits: the number of calls of a minute that API Gateway lets through, made one by one; None for all.
        minutes: the number of minutes that have passed.
        events: every event that the functions logged in this chapter.
        lines: every other line that they logged in it.
        raised: the alarms that went off in it.
        alarms_raised: every alarm that went off, as often as it did.
        states: each alarm's state after the last minute.
    """

    stage: WatchedStage
    http: httpx.Client
    monitoring: Monitoring
    admits: int | None = None
    metrics: Metrics = field(default_factory=Metrics)
    minutes: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    raised: set[str] = field(default_factory=set)
    alarms_raised: Counter[str] = field(default_factory=Counter)
    states: dict[str, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began = self._minute_began = time.time()
        self._called = 0
        self._read: set[str] = set()
        self._counted: Counter[Metric] = Counter()
        self._cloudwatch = self.stage.client("cloudwatch")
        self._logs = self.stage.client("logs")
        self._dynamodb = self.stage.client("dynamodb")

    def chapter(self) -> None:
        """Begin a new chapter."""
        self.events, self.lines, self.raised = [], [], set()

    def minute(self, calls: Sequence[Call] = (), *, at_once: Sequence[Call] = ()) -> None:
        """Live through a minute: some calls are made all at once, and then the others one by one."""
        self._minute_began = time.time()
        self._called = 0
        with ThreadPoolExecutor(len(at_once) or 1) as callers:
            list(callers.map(self._call, at_once))
        for call in calls:
            self._call(call)
        self._read_logs()
        self._count_store_refusals()
        self._count_throttles()
        self._evaluate()
        self.minutes += 1

    def learn(self) -> None:
        """Take all minutes until now as the usual ones."""
        for alarm in self.monitoring.alarms:
            alarm.learn(self.metrics, self.minutes)

    def lapse(self, user: str, *, but: Collection[str] = ()) -> None:
        """Let the leases of a user's streams expire, except for these."""
        item = self._dynamodb.get_item(TableName=self.stage.prefix, Key=key(user), ConsistentRead=True)[
            "Item"
        ]
        streams = (name.removeprefix(STREAM_PREFIX) for name in item if name.startswith(STREAM_PREFIX))
        for stream in streams:
            if stream not in but:
                expire(self._dynamodb, self.stage.prefix, user, stream)

    def in_alarm(self) -> set[str]:
        """Return the alarms that are on, according to the emulator."""
        described = self._cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
        return {self.short(alarm["AlarmName"]) for alarm in described}

    def received_pages(self) -> Counter[str]:
        """Return the alarms in the pager's queue: every alarm that went off, as often as it did."""
        paged_alarms: Counter[str] = Counter()
        sqs = self.stage.client("sqs")
        receive = {"QueueUrl": self.stage.pager, "MaxNumberOfMessages": 10}
        while messages := sqs.receive_message(**receive).get("Messages"):
            for message in messages:
                alarm = json.loads(json.loads(message["Body"])["Message"])
                paged_alarms[self.short(alarm["AlarmName"])] += alarm["NewStateValue"] == "ALARM"
                sqs.delete_message(QueueUrl=self.stage.pager, ReceiptHandle=message["ReceiptHandle"])
        return +paged_alarms

    def short(self, alarm: str) -> str:
        """Return an alarm's name in the runbook."""
        return alarm.removeprefix(f"{self.stage.prefix}-")

    def _call(self, call: Call) -> None:
        """Make a call. The emulator's API Gateway counts and logs nothing, so the caller's view stands in."""
        began = time.monotonic()
        status, is_invoked = self._answer(call)
        took = (time.monotonic() - began) * 1000
        api = self.stage.api_url.rpartition("/")[2]
        for name, value in {"Count": 1, "5xx": int(status >= 500), "Latency": took}.items():
            self.metrics.put(self.minutes, Metric.of("AWS/ApiGateway", name, ApiId=api), value)
        invoked = {"integrationStatus": "200"} if is_invoked else {}
        line = self.monitoring.line(
            apiId=api, routeKey=f"{call.method} {call.route}", status=str(status), **invoked
        )
        for metric in (one.count(line) for one in self.monitoring.filters):
            if metric:
                self.metrics.put(self.minutes, metric, 1)

    def _answer(self, call: Call) -> tuple[int, bool]:
        """Return the status of the answer, and whether a function gave it.

        The emulator does not throttle, so that is done here.
        """
        self._called += 1
        if self.admits is not None and self._called > self.admits:
            return HTTPStatus.TOO_MANY_REQUESTS, False
        url = f"{self.stage.api_url}{call.route}"
        if call.method == "POST":
            status = self.http.post(url, json={"userId": call.user, "streamId": call.stream}).status_code
        else:
            url = f"{url}?userId={call.user}"
            signed = signature(call.method, url, None, Credentials("test", "test"))
            status = self.http.request(call.method, url, headers=signed).status_code
        return status, status != HTTPStatus.UNAUTHORIZED

    def _read_logs(self) -> None:
        """Take the metrics out of new events. An invocation that left none broke before it could answer."""
        for function in self.stage.functions:
            invocations: dict[str, list[str]] = defaultdict(list)
            pages = self._logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{function}", startTime=int(self._minute_began * 1000)
            )
            for line in (line for page in pages for line in page["events"]):
                invocations[line["logStreamName"]].append(line["message"].strip())
            for stream in invocations.keys() - self._read:
                lines = invocations[stream]
                events = [json.loads(line) for line in lines if '"_aws":' in line]
                for event in events:
                    self.metrics.put_embedded(self.minutes, event)
                errors = Metric.of("AWS/Lambda", "Errors", FunctionName=function)
                self.metrics.put(self.minutes, errors, int(not events))
                self.events += events
                self.lines += [line for line in lines if '"_aws":' not in line]
            self._read |= invocations.keys()

    def _count_store_refusals(self) -> None:
        """Count what was answered in DynamoDB's place, as DynamoDB would."""
        throttled = Metric.of("AWS/DynamoDB", "WriteThrottleEvents", TableName=self.stage.prefix)
        self._count(throttled, self.stage.store.answered["throttled"])
        failed = Metric.of(
            "AWS/DynamoDB", "SystemErrors", TableName=self.stage.prefix, Operation="UpdateItem"
        )
        self._count(failed, self.stage.store.answered["failing"])

    def _count_throttles(self) -> None:
        """Take over the invocations that the emulator turned away and counted itself."""
        for function in self.stage.functions:
            points = self._cloudwatch.get_metric_statistics(
                Namespace="AWS/Lambda",
                MetricName="Throttles",
                Dimensions=[{"Name": "FunctionName", "Value": function}],
                StartTime=datetime.fromtimestamp(self._began, UTC),
                EndTime=datetime.now(UTC) + timedelta(minutes=1),
                Period=86_400,
                Statistics=["Sum"],
            )["Datapoints"]
            throttles = Metric.of("AWS/Lambda", "Throttles", FunctionName=function)
            self._count(throttles, round(sum(point["Sum"] for point in points)))

    def _count(self, metric: Metric, total: int) -> None:
        """Record the growth of a count since the previous minute."""
        if grown := total - self._counted[metric]:
            self.metrics.put(self.minutes, metric, grown)
        self._counted[metric] = total

    def _evaluate(self) -> None:
        """Evaluate every alarm, and report each change to the emulator, which calls the pager."""
        for alarm in self.monitoring.alarms:
            state = alarm.state(self.metrics, self.minutes)
            if state == self.states.get(alarm.name):
                continue
            self.states[alarm.name] = state
            self._cloudwatch.set_alarm_state(
                AlarmName=alarm.name, StateValue=state, StateReason=f"minute {self.minutes}"
            )
            if state == "ALARM":
                self.raised.add(self.short(alarm.name))
                self.alarms_raised[self.short(alarm.name)] += 1
