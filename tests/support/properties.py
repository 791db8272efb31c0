"""How many examples a property is searched with: `make test` takes a tenth of those of `make test-long`."""

from typing import Final

from hypothesis import settings

SHORT: Final = "short"
"""The profile of `make test`."""


def register() -> None:
    """Make the profile known; all else in it is as it would be without."""
    settings.register_profile(SHORT, settings(), max_examples=settings().max_examples // 10)


def examples(times: float) -> int:
    """Return so many times the number of a property that names none."""
    return max(1, round(times * settings().max_examples))
