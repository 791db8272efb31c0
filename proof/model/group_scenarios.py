"""Scenarios with groups: separate limits, labels, streams that change groups, old code next to new."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from domain.bounds import Bound
from domain.policy import Enforcement, OnLimit, Policy
from domain.requests import EndNamed, Heartbeat, StartNamed
from proof.harness.requests import Request
from proof.model.states import USER, Scenario

POLICY: Final = Policy(lease_seconds=2, heartbeat_seconds=1, grace_seconds=1, anonymous_seconds=2)
EVICT: Final = replace(POLICY, on_limit=OnLimit.EVICT_OLDEST)
SHADOW: Final = replace(POLICY, enforcement=Enforcement.SHADOW)
_MODES: Final = {"reject": POLICY, "evict": EVICT, "shadow": SHADOW}


@dataclass(frozen=True)
class _Story:
    """The scripts of a scenario, the packets that arrive again, and the number of losses."""

    scripts: tuple[tuple[Request, ...], ...]
    repeated: tuple[tuple[int, int], ...] = ()
    losses: int = 0


def group_scenarios(horizon: int) -> Iterator[Scenario]:
    """Yield all scenarios, each over `horizon` seconds."""
    for (name, story), (mode, policy) in product(_stories().items(), _MODES.items()):
        yield _scenario(f"{name}, {mode}", policy, story, horizon)
    for (name, story), (mode, policy) in product(_full_groups().items(), _MODES.items()):
        if policy is not SHADOW:
            yield _scenario(f"{name}, {mode}", policy, story, horizon)
    with_tokens = replace(POLICY, token_overlap=1)
    yield _scenario(
        "one slot of a group, with tokens", with_tokens, _stories()["one slot of a group"], horizon
    )
    for (name, story), (mode, policy) in product(_beside_old_code().items(), _MODES.items()):
        if policy is not SHADOW:
            scenario = _scenario(f"{name} beside old code, {mode}", policy, story, horizon)
            yield replace(scenario, old_code=True)


def _scenario(name: str, policy: Policy, story: _Story, horizon: int) -> Scenario:
    return Scenario(f"groups: {name}", policy, story.scripts, story.repeated, horizon, story.losses)


def _stories() -> dict[str, _Story]:
    """Return the stories of every mode."""
    return {
        "one slot of a group": _Story(
            ((_start("a", uhd=1), _end("a", "uhd")), (_start("b", uhd=1),)), ((0, 0),)
        ),
        "one slot of a group, and losses": _Story(((_start("a", uhd=1),), (_start("b", uhd=1),)), losses=1),
        "a label": _Story(((_start("a", hdr=None), _end("a")), (_start("b", hdr=None, limit=1),)), ((0, 1),)),
        "replaces within a group": _Story(
            ((_start("a", uhd=1), _start("c", uhd=1, replaces="a")), (_start("b", uhd=1),))
        ),
        "replaces across groups": _Story(
            ((_start("a", uhd=1), _start("c", away=1, replaces="a")), (_start("b", uhd=1, away=1),))
        ),
        "a stream that joins a group": _Story(
            ((_start("a"), _start("a", uhd=1), Heartbeat(USER, "a")), (_start("b", uhd=1),))
        ),
        "a stream that leaves its group": _Story(
            ((_start("a", uhd=1), _start("a")), (_start("b", uhd=1), _end("b")))
        ),
    }


def _full_groups() -> dict[str, _Story]:
    """Return the stories of refusals and evictions."""
    return {
        "one of two in both groups": _Story(
            (
                (_start("a", uhd=2, limit=4), _start("c", uhd=2, away=2, limit=4)),
                (_start("b", away=2, limit=4), _start("d", uhd=2, away=2, limit=4)),
            )
        ),
        "two groups of one": _Story(
            (
                (_start("a", uhd=1), _start("c", uhd=1, away=1)),
                (_start("b", away=1),),
            ),
            ((0, 1),),
        ),
        "the group and the total": _Story(
            ((_start("a"), _start("c", uhd=1)), (_start("b", uhd=1), _start("b")))
        ),
        "changed limits": _Story(
            ((_start("a", uhd=2), _start("c", uhd=1)), (_start("b", uhd=2), _end("b", "uhd")))
        ),
        "blocked": _Story(((_start("a", uhd=1), _start("b", uhd=0, replaces="a")), (_start("c", uhd=0),))),
    }


def _beside_old_code() -> dict[str, _Story]:
    return {
        "starts": _Story(((_start("a", uhd=1), _end("a", "uhd"), _start("c", uhd=1)), (_start("b", uhd=1),))),
        "replaces": _Story(
            ((_start("a", uhd=1), _start("c", uhd=1, replaces="a")), (_start("b", uhd=1), _end("b")))
        ),
    }


def _start(
    stream_id: str, *, limit: int = 2, replaces: str | None = None, **limits: int | None
) -> StartNamed:
    """Return a start in these groups, each with its limit; `None` = it has none."""
    bounds = tuple(Bound(most, group) for group, most in sorted(limits.items()) if most is not None)
    groups = tuple(sorted(limits))
    return StartNamed(USER, stream_id, limit, replaces=replaces, groups=groups, group_bounds=bounds)


def _end(stream_id: str, *groups: str) -> EndNamed:
    """Return an end that names these groups, which may differ from the stream's."""
    return EndNamed(USER, stream_id, groups=groups)
