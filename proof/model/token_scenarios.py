"""Scenarios with playback tokens: cycles through names, differing clocks, old code next to new."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from domain.policy import Enforcement, OnLimit, Policy
from domain.requests import EndNamed, Heartbeat, StartAnonymous, StartNamed
from proof.harness.requests import Request
from proof.model.states import USER, Scenario

POLICY: Final = Policy(
    lease_seconds=2, heartbeat_seconds=1, grace_seconds=1, anonymous_seconds=2, token_overlap=1
)
EVICT: Final = replace(POLICY, on_limit=OnLimit.EVICT_OLDEST)
SHADOW: Final = replace(POLICY, enforcement=Enforcement.SHADOW)
OLD_CODE: Final = replace(POLICY, token_overlap=None)

_MODES: Final = {"reject": POLICY, "evict": EVICT, "shadow": SHADOW}


@dataclass(frozen=True)
class _Story:
    """The scripts of a scenario, the packets that arrive again, and the number of losses.

    The scripts use more names than may have a token at once.
    """

    scripts: tuple[tuple[Request, ...], ...]
    repeated: tuple[tuple[int, int], ...] = ()
    losses: int = 1


def token_scenarios(horizon: int) -> Iterator[Scenario]:
    """Yield all scenarios, each over `horizon` seconds; old code next to new takes one more."""
    for name, story in _circles().items():
        for mode, policy in _MODES.items():
            yield _scenario(f"{name}, limit 1, overlap 1, {mode}", policy, story, horizon)
    for name, story in _others().items():
        yield _scenario(f"{name}, limit 1, overlap 1, reject", POLICY, story, horizon)
    wide = replace(POLICY, token_overlap=2)
    yield _scenario("four names, limit 1, overlap 2, reject", wide, _four_names(1), horizon)
    yield _scenario(
        "four names, limit 1, overlap 2, evict", replace(EVICT, token_overlap=2), _four_names(1), horizon
    )
    yield _scenario("four names, limit 2, overlap 1, reject", POLICY, _four_names(2), horizon)
    yield _scenario("four names, limit 2, overlap 1, evict", EVICT, _four_names(2), horizon)
    two_slots = _Story((_circle("a", "a", limit=2), _circle("b", "c", limit=2)), losses=0)
    yield _scenario("the same name, limit 2, overlap 1, reject", POLICY, two_slots, horizon)
    yield _scenario("changed limits, overlap 1, reject", POLICY, _changed_limits(), horizon)
    yield _scenario("changed limits, overlap 1, evict", EVICT, _changed_limits(), horizon)
    yield _scenario("blocked, limit 0, overlap 1, reject", POLICY, _blocked(), horizon)
    for name, beside in {"evict": EVICT, "shadow": SHADOW}.items():
        scenario = _scenario(f"reject beside {name}, limit 1, overlap 1", POLICY, _mixed(), horizon)
        yield replace(scenario, beside=beside)
    for name, story in _beside_old_code().items():
        scenario = _scenario(f"{name} beside old code, limit 1, overlap 1", POLICY, story, horizon + 1)
        yield replace(scenario, beside=OLD_CODE)


def _scenario(name: str, policy: Policy, story: _Story, horizon: int) -> Scenario:
    return Scenario(f"tokens: {name}", policy, story.scripts, story.repeated, horizon, story.losses)


def _circles() -> dict[str, _Story]:
    """Return the attacks that apply to every mode."""
    return {
        "circle": _Story((_circle("ab", last="c"), _circle("", last="d"))),
        "circle of replaces": _Story(
            ((_start("a"), _start("b", replaces="a"), _start("c", replaces="b")), (_start("d"),)),
            ((0, 1),),
            losses=0,
        ),
        "the same name": _Story((_circle("aa", last="b"), _circle("c")), losses=0),
    }


def _others() -> dict[str, _Story]:
    heartbeat, end = Heartbeat(USER, "a", play="2"), EndNamed(USER, "a", play="1")
    reload = (_start("a", play="1"), end, _start("a", play="2"), heartbeat)
    return {
        "heartbeats": _Story(
            ((_start("a"), Heartbeat(USER, "a"), EndNamed(USER, "a"), _start("b")), _circle("c")), losses=0
        ),
        "a late end": _Story((_circle("a", last="b"), _circle("c")), ((0, 1),), losses=0),
        "a late start": _Story((_circle("a", last="b"), _circle("c")), ((0, 0),), losses=0),
        "a page that reloads": _Story((reload, (_start("b"),)), ((0, 1),)),
        "beside anonymous streams": _Story(
            (_circle("ab", last="c"), (StartAnonymous(USER, "x", 1),)), losses=0
        ),
        "a recount beside a circle": _Story((_circle("abc", last="d"), _circle("a")), losses=0),
    }


def _four_names(limit: int) -> _Story:
    return _Story((_circle("ab", last="c", limit=limit), _circle("de", limit=limit)), losses=0)


def _changed_limits() -> _Story:
    return _Story(
        ((_start("a", 2), _start("b", 2), EndNamed(USER, "b"), _start("c", 2)), _circle("de", limit=1)),
        losses=0,
    )


def _blocked() -> _Story:
    return _Story(((_start("a", 0), _start("b", 0, replaces="a")), (_start("c", 0),)))


def _mixed() -> _Story:
    return _Story((_circle("a", last="b"), _circle("c")))


def _beside_old_code() -> dict[str, _Story]:
    return {
        "circle": _Story((_circle("a", last="b"), _circle("c", last="d")), losses=0),
        "heartbeats": _Story(((_start("a"), Heartbeat(USER, "a")), _circle("b", last="c")), losses=0),
        "replaces": _Story(((_start("a"), _start("b", replaces="a")), _circle("c", last="d")), losses=0),
    }


def _circle(names: str, last: str = "", limit: int = 1) -> tuple[Request, ...]:
    """Start and end a stream under each name, and keep the last one."""
    circle = [request for name in names for request in (_start(name, limit), EndNamed(USER, name))]
    return (*circle, *(_start(name, limit) for name in last))


def _start(
    stream_id: str, limit: int = 1, *, replaces: str | None = None, play: str | None = None
) -> StartNamed:
    return StartNamed(USER, stream_id, limit, replaces=replaces, play=play)
