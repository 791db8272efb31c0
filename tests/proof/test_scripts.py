"""Each known attack, in a few lines: none has more tokens than the limit and the overlap.

The scripts of `proof.simulated.scripts` send the same attacks regardless of the answers, among other players.
These adapt to the answers and so reach the bound. They are written separately on purpose.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count, product

import pytest

from domain.errors import Refusal
from domain.policy import OnLimit, Policy
from domain.streams import Lease
from testing.fakes import FakeTokens
from tests.unit.domain.household import Household

SECONDS = 400


class Attacker(Household):
    """A script with the service before it, which keeps each token that it was given."""

    def __init__(self, policy: Policy, limit: int) -> None:
        super().__init__(policy, FakeTokens())
        self.limit = limit
        self.serial = count()
        self.given: dict[str, int] = {}
        self.last: str | None = None

    def take(self, name: str | None = None, replaces: str | None = None) -> str | None:
        """Start a stream for its token; return its name if it is admitted."""
        name = name or f"fresh-{next(self.serial)}"
        with suppress(Refusal):
            answer = self.start(name, self.limit, replaces)
            assert answer.token is not None
            self.keep(answer.lease)
            return name
        return None

    def keep(self, lease: Lease | None) -> None:
        """Keep the token of a lease."""
        assert lease is not None
        self.given[lease.stream_id] = lease.expires_at

    @property
    def good(self) -> int:
        """Return how many different names have an unexpired token."""
        return sum(until > self.clock.now() for until in self.given.values())


def circle(script: Attacker) -> None:
    """Start and end."""
    if name := script.take():
        script.end(name)


def circle_of_replaces(script: Attacker) -> None:
    """Replace the previous stream."""
    script.last = script.take(replaces=script.last) or script.last


def same_names(script: Attacker) -> None:
    """Start and end under a few names, over and over."""
    if name := script.take(f"kept-{next(script.serial) % 9}"):
        script.end(name)


def never_end(script: Attacker) -> None:
    """Only start: under eviction of the oldest, each start ends a stream."""
    script.take()


def heartbeat_at_the_end(script: Attacker) -> None:
    """Extend the lease just before the end, so that the token lives longest."""
    if name := script.take():
        script.clock.advance(1)
        script.keep(script.beat(name).lease)
        script.end(name)


SCRIPTS = [circle, circle_of_replaces, same_names, never_end, heartbeat_at_the_end]


@pytest.mark.parametrize("on_limit", OnLimit)
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_has_more_tokens_than_the_limit_and_the_overlap(
    script: Callable[[Attacker], None], on_limit: OnLimit
) -> None:
    """In many minutes no script has more tokens than the bound, and all that end streams reach it."""
    for limit, overlap in product((1, 2, 3), (1, 2, 5)):
        attacker = Attacker(replace(Policy(token_overlap=overlap), on_limit=on_limit), limit)
        most = 0
        for _ in range(SECONDS):
            script(attacker)
            most = max(most, attacker.good)
            attacker.clock.advance(1)
        ends_none = script is never_end and on_limit is OnLimit.REJECT
        assert most == (limit if ends_none else limit + overlap)
