"""The number of examples of each property: `make test` takes a fifth of those of `make coverage`."""

from typing import Final

from hypothesis import settings

SHORT: Final = "short"
"""The profile of `make test`."""


def register() -> None:
    """Register the profile, and let no example have a time limit: a busy machine would exceed it."""
    settings.register_profile("untimed", settings(), deadline=None)
    settings.load_profile("untimed")
    settings.register_profile(SHORT, settings(), max_examples=settings().max_examples // 5)


def examples(times: float) -> int:
    """Return this multiple of the number of a property that names none."""
    return max(1, round(times * settings().max_examples))
