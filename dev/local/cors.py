"""CORS of `make run`: lets pages of other origins call the API, like Terraform's `cors_origins` on AWS."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

VARIABLE: Final = "CORS_ORIGINS"
METHODS: Final = ("GET", "POST")
HEADERS: Final = ("authorization", "content-type", "idempotency-key")
EXPOSED_HEADERS: Final = ("retry-after",)
MAX_AGE_SECONDS: Final = 3600

_THIS_MACHINE: Final = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"
_ORIGIN: Final = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:\d+)?")


@dataclass(frozen=True)
class Origins:
    """The origins whose pages may call: a list, or by default every origin on this machine."""

    names: tuple[str, ...] | None = None

    def allow(self, app: ASGIApp, *, credentials: bool) -> ASGIApp:
        """Return the application with preflights answered, and with answers that these pages can read.

        Args:
            app: the application.
            credentials: whether a browser may store the cookies of its answers.
        """
        return CORSMiddleware(
            app,
            allow_origins=self.names or (),
            allow_origin_regex=_THIS_MACHINE if self.names is None else None,
            allow_methods=METHODS,
            allow_headers=HEADERS,
            expose_headers=EXPOSED_HEADERS,
            allow_credentials=credentials,
            max_age=MAX_AGE_SECONDS,
        )


def parse_origins(text: str | None) -> Origins:
    """Return the origins of a comma-separated list; None is the default, and an empty list allows none.

    Raises:
        ValueError: an entry is not an origin; the message names the variable.
    """
    if text is None:
        return Origins()
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    for name in names:
        if not _ORIGIN.fullmatch(name):
            raise ValueError(
                f"{VARIABLE}: {name!r} is not an origin such as http://localhost:5173 "
                "(small letters, no path, no wildcard)"
            )
    return Origins(names)
