"""An hour of trouble: events, metrics and alarms show what happened, and the person on call learns why."""

import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from dev.operate.logs import GREEN, is_of_an_invocation
from dev.packaging.package import SOURCES
from entrypoints.event_log import EventLog
from entrypoints.metrics import NAMESPACE
from entrypoints.settings import LogLevel
from tests.e2e.support import cloudwatch, runbook
from tests.e2e.support.cloudwatch import Metric
from tests.e2e.support.deployment import need_the_tools
from tests.e2e.support.story import Call, Story
from tests.e2e.support.watched_stage import CONCURRENCY, HASH_KEY, watched_stage
from tests.support import documented

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

CALM_MINUTES = 15
ABUSE_MINUTES = 18
SCREENS = ("tv", "phone")  # as many as may watch at once
CALM_OUTCOMES = {"admitted", "extended", "ended", "refused"}
ABUSER = "abuser"
NOT_IN_THIS_STORY = {"replayed", "replaced", "evicted", "would_refuse"}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Yield a watched stage, whose store can fail, after a quarter of an hour in which all is well."""
    need_the_tools()
    with watched_stage(tmp_path_factory.mktemp("trouble")) as stage, httpx.Client(timeout=30) as http:
        story = Story(stage, http, cloudwatch.monitoring(stage))
        for minute in range(CALM_MINUTES):
            story.minute(calm(minute, refused=minute % 3 == 0))
        story.learn()
        yield story


def start(user: str, stream: str) -> Call:
    """Return a player's start."""
    return Call("/stream/start", user, stream)


def visit(user: str) -> list[Call]:
    """Return the start and the end of a visit."""
    return [start(user, "tv"), Call("/stream/heartbeat", user, "tv"), Call("/stream/end", user, "tv")]


def calm(minute: int, *, refused: bool) -> list[Call]:
    """Return the calls of a household that watches on all of its screens, and of a visitor.

    Now and then the household tries one screen more, and is refused.
    """
    home = [start(f"home-{minute}", screen) for screen in SCREENS]
    return [*home, *([start(f"home-{minute}", "one-more")] if refused else []), *visit("visitor")]


def release(story: Story, package_path: Path) -> None:
    """Give every function this code, and let the API call it."""
    functions = story.stage.client("lambda")
    for name in story.stage.functions:
        version = functions.update_function_code(
            FunctionName=name, ZipFile=package_path.read_bytes(), Publish=True
        )["Version"]
        for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
            functions.update_alias(FunctionName=name, Name=alias["Name"], FunctionVersion=version)


def without_dependencies(package_path: Path, directory: Path) -> Path:
    """Return a package that holds the service's own modules alone."""
    broken = directory / "broken.zip"
    with zipfile.ZipFile(package_path) as whole, zipfile.ZipFile(broken, "w") as part:
        for name in whole.namelist():
            if name.startswith(SOURCES):
                part.writestr(name, whole.read(name))
    return broken


@contextmanager
def another_issuer(story: Story) -> Iterator[None]:
    """Let each route of players require tokens of an issuer whose tokens no player has."""
    apis = story.stage.client("apigatewayv2")
    (api,) = (one["ApiId"] for one in apis.get_apis()["Items"])
    routes = [
        route["RouteId"]
        for route in apis.get_routes(ApiId=api)["Items"]
        if route["AuthorizationType"] == "NONE"
    ]
    authorizer = apis.create_authorizer(
        ApiId=api,
        Name="another",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": "https://another.example.com/", "Audience": ["streams"]},
    )["AuthorizerId"]
    for route in routes:
        apis.update_route(ApiId=api, RouteId=route, AuthorizationType="JWT", AuthorizerId=authorizer)
    yield
    for route in routes:
        apis.update_route(ApiId=api, RouteId=route, AuthorizationType="NONE", AuthorizerId="")
    apis.delete_authorizer(ApiId=api, AuthorizerId=authorizer)


def values(story: Story, field: str) -> set[str]:
    """Return the values of a field in the events of this chapter."""
    return {event[field] for event in story.events if field in event}


def check_events(story: Story) -> None:
    """Check that every event of this chapter is as docs/events.md says."""
    assert story.events
    for event in story.events:
        documented.check(event)


def check_recovery(story: Story) -> None:
    """Check that one more minute in which all is well clears every alarm."""
    story.chapter()
    story.minute(calm(story.minutes, refused=True))
    assert (story.raised, story.in_alarm()) == (set(), set())
    assert values(story, "outcome") == CALM_OUTCOMES


def test_normal_traffic_raises_no_alarm(story: Story) -> None:
    """A quarter of an hour of households and visitors, with a refusal now and then, raises no alarm."""
    assert (story.raised, story.in_alarm()) == (set(), set())
    assert set(story.states.values()) == {"OK"}
    assert values(story, "outcome") == CALM_OUTCOMES
    check_events(story)


def test_crashing_players(story: Story) -> None:
    """A release ends no stream: a screen that comes back takes the place of the expired ones."""
    story.chapter()
    for minute in range(CALM_MINUTES):
        story.lapse(f"home-{minute}")
        story.minute([start(f"home-{minute}", "again"), *calm(story.minutes, refused=minute % 3 == 0)])
    assert story.raised == story.in_alarm() == {"reclaims"}
    reclaimed = [event["reclaimed_slots"] for event in story.events if event["outcome"] == "reclaimed"]
    assert reclaimed == [len(SCREENS)] * CALM_MINUTES
    check_events(story)
    check_recovery(story)


def test_a_failing_store(story: Story) -> None:
    """While DynamoDB is slow and fails, starts and heartbeats go through uncounted."""
    story.chapter()
    story.stage.store.trouble, story.stage.store.seconds = "failing", 0.6
    for _ in range(5):
        story.minute(at_once=[*visit("visitor"), start("other", "tv")])
    story.stage.store.trouble, story.stage.store.seconds = None, 0.0
    assert story.raised == story.in_alarm() == {"table-failing", "unverified", "errors", "slow"}
    assert values(story, "outcome") == {"unverified", "failed"}
    assert values(story, "code") == {"store_unavailable"}
    assert all(event["store_ms"] > 0.8 * event["duration_ms"] for event in story.events)
    check_events(story)
    check_recovery(story)


def test_a_throttling_store(story: Story) -> None:
    """While DynamoDB throttles, no start is admitted uncounted, because a caller could cause that."""
    story.chapter()
    story.stage.store.trouble = "throttled"
    for _ in range(3):
        story.minute([*visit("visitor"), *visit("other")])
    story.stage.store.trouble = None
    assert story.raised == story.in_alarm() == {"table-throttled", "failing", "errors"}
    assert values(story, "code") == {"too_many_requests"}
    check_events(story)
    check_recovery(story)


def test_a_bad_deployment(story: Story, tmp_path: Path) -> None:
    """Without its dependencies no start reaches an event, until the package is rolled back."""
    story.chapter()
    release(story, without_dependencies(story.stage.package, tmp_path))
    for _ in range(3):
        story.minute([start("visitor", "tv")])
    assert story.raised == story.in_alarm() == {"functions-failing", "errors"}
    assert story.lines
    assert story.events == []
    story.stage.shell(f"make rollback STAGE={story.stage.stage}")
    check_recovery(story)


def test_a_changed_issuer(story: Story) -> None:
    """With another issuer no caller reaches a function, and only the access log shows it."""
    story.chapter()
    with another_issuer(story):
        for _ in range(3):
            story.minute(2 * visit("stranger"))
        assert story.raised == set(), "a few calls without a token, as at night"
        for _ in range(3):
            story.minute([*calm(story.minutes, refused=False), *2 * visit("other")])
    assert story.raised == story.in_alarm() == {"unauthorized"}
    assert (story.events, story.lines) == ([], [])
    check_recovery(story)


def test_an_audience_above_the_throttling_rate(story: Story) -> None:
    """API Gateway admits no more than its rate, and the rest never reach a function."""
    story.chapter()
    visits = 4 * visit("visitor")
    story.admits = len(visits)
    for _ in range(3):
        story.minute([*visits, start("one-too-many", "tv")])
    assert len(story.events) == 3 * story.admits
    story.admits = None
    assert story.raised == story.in_alarm() == {"throttled"}
    check_events(story)
    check_recovery(story)


def test_a_start_above_the_token_bound_does_not_count_as_throttled(story: Story) -> None:
    """A 429 counts as throttled only if no function was invoked: a function answers 429 too."""
    by_a_function = story.monitoring.line(apiId="a", status="429", integrationStatus="200")
    by_the_gateway = story.monitoring.line(apiId="a", status="429")
    assert [one.count(by_a_function) for one in story.monitoring.filters] == [None, None]
    assert [one.count(by_the_gateway) is None for one in story.monitoring.filters].count(False) == 1


def test_an_account_without_concurrency(story: Story) -> None:
    """Lambda turns starts away if the account has no instances left for them."""
    story.chapter()
    story.stage.store.seconds = 0.3  # so that they meet
    for minute in range(2):
        story.minute(at_once=[start(f"crowd-{minute}-{n}", "tv") for n in range(2 * CONCURRENCY)])
    story.stage.store.seconds = 0.0
    assert story.raised == story.in_alarm() == {"functions-throttled"}
    assert 0 < len(story.events) < 4 * CONCURRENCY
    check_events(story)
    check_recovery(story)


def test_a_widely_shared_account(story: Story) -> None:
    """Many screens race for each slot that is given back, and the log shows one user above all."""
    story.chapter()
    story.stage.store.seconds = 0.05  # so that they meet
    story.minute([start(ABUSER, screen) for screen in SCREENS])
    for minute in range(ABUSE_MINUTES):
        story.lapse(ABUSER, but=SCREENS[1:])
        screens = [start(ABUSER, f"screen-{minute}-{number}") for number in range(2 * CONCURRENCY)]
        story.minute(screens[CONCURRENCY:], at_once=screens[:CONCURRENCY])
    story.stage.store.seconds = 0.0
    assert story.raised == {"refusals", "contended"}
    calls = Counter(event["user"] for event in story.events)
    assert calls.most_common(1)[0][0] == EventLog(LogLevel.INFO, SecretStr(HASH_KEY)).user_hash(ABUSER)
    check_events(story)


def test_each_alarm_notified_the_on_call_engineer(story: Story) -> None:
    """The pager got one message each time an alarm went off, with its runbook section; every alarm did."""
    assert story.received_pages() == story.alarms_raised
    assert story.alarms_raised.keys() == {story.short(alarm.name) for alarm in story.monitoring.alarms}
    for alarm in story.monitoring.alarms:
        assert alarm.description.endswith(f" docs/runbook.md#{story.short(alarm.name)}")


def test_the_dashboard_shows_five_questions_in_order(story: Story) -> None:
    """The dashboard has five questions, each with its graphs side by side; all service metrics exist."""
    by_operator = [
        Call("/operator/streams", "operated", "", method) for method in ("GET", "DELETE", "DELETE")
    ]
    story.minute([start("operated", "tv"), *by_operator])
    body = story.stage.client("cloudwatch").get_dashboard(DashboardName=story.stage.prefix)["DashboardBody"]
    widgets = sorted(json.loads(body)["widgets"], key=lambda widget: (widget["y"], widget["x"]))
    questions = [widget["properties"]["markdown"] for widget in widgets if widget["type"] == "text"]
    wanted = (
        *("Is it up?", "Are starts admitted?", "Is it fast?"),
        *("Who is refused?", "What does it cost?"),
    )
    assert questions == [f"## {question}" for question in wanted]
    end = 0
    for widget in widgets:
        end = end if widget["x"] else 0
        assert widget["x"] == end, "a gap, or an overlap"
        end += widget["width"]
        assert end <= 24
        for namespace, name, *named in widget["properties"].get("metrics", []):
            pairs = [one for one in named if isinstance(one, str)]
            dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
            if namespace == NAMESPACE and dimensions.get("outcome") not in NOT_IN_THIS_STORY:
                assert Metric.of(namespace, name, **dimensions) in story.metrics


@pytest.mark.parametrize("target", ["logs", "logs FN=start", "logs FN=end", "logs-end"])
def test_logs_are_coloured_in_a_terminal_and_json_in_a_pipe(story: Story, target: str) -> None:
    """A terminal gets colours and no JSON; a pipe gets one JSON object per line and no colours."""
    command = f"make {target} STAGE={story.stage.stage}"
    piped = [json.loads(line) for line in story.stage.shell(command).splitlines()]
    assert not any(is_of_an_invocation(line.get("message", "")) for line in piped)
    functions = {line.get("function") for line in piped}
    asked = re.fullmatch("logs(?:-| FN=)?(.*)", target)
    assert asked
    assert f"{story.stage.prefix}-{asked[1] or 'start'}" in functions
    assert asked[1] == "" or functions == {f"{story.stage.prefix}-{asked[1]}"}

    shown = story.stage.terminal(command)
    assert shown.count(f"{GREEN}admitted") + shown.count(f"{GREEN}ended") > 0
    assert '{"' not in shown


def test_lambdas_own_lines_are_shown_with_all(story: Story) -> None:
    """With ALL=1 Lambda's lines are shown among the events, as objects of JSON too."""
    piped = story.stage.shell(f"make logs FN=end ALL=1 STAGE={story.stage.stage}").splitlines()
    lines = [json.loads(line) for line in piped]
    (kinds,) = {frozenset(line) for line in lines if "outcome" not in line}
    assert kinds == {"message"}
    assert any(is_of_an_invocation(line.get("message", "")) for line in lines)
    assert any("outcome" in line for line in lines)


def test_each_command_of_the_runbook_works(story: Story) -> None:
    """Each command of the runbook does what it should, in the runbook's order."""
    story.minute([start("crashed", "tv"), *(start("reader", screen) for screen in SCREENS)])
    story.lapse("crashed")
    wanted = runbook.commands(story.stage, "reader", SCREENS[0])
    for command in wanted:
        if command not in story.stage.answers:
            story.stage.shell(command)

    def output_of(part: str) -> str:
        (answer,) = (story.stage.answers[command] for command in wanted if part in command)
        return answer

    assert "API_URL=" in output_of("make deploy")
    assert '"outcome":"ended"' in output_of("make logs STAGE")
    assert '"outcome":"admitted"' in output_of("make logs FN=start")
    assert output_of("make smoke") == "It works.\n"
    assert output_of('"show ').startswith("reader: 2 live, 2 slots taken")
    assert (
        output_of('"hash reader"') == EventLog(LogLevel.INFO, SecretStr(HASH_KEY)).user_hash("reader") + "\n"
    )
    assert output_of('"end reader"') == "reader: 2 ended\n"
    assert output_of('"end reader tv"') == "reader: 0 ended\n"
    assert output_of('"audit"').endswith(" 1 inconsistent or expired, 0 repaired\n")
    assert output_of('"audit --repair"').endswith(" 1 inconsistent or expired, 1 repaired\n")
    assert "are restored" in output_of("AT=")
    assert "the service knows only" in output_of("KVS_ARN=none ARGS=revoke")
    assert output_of("KVS_ARN=none ARGS=rotate").endswith(" signs, and no other key is known.\n")
