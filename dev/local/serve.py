"""`make run`: the real handlers on http://localhost:3000, over an embedded DynamoDB-compatible store."""

import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, redirect_stdout
from types import FrameType
from urllib.parse import urlsplit

import boto3
import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from dev.emulators.ministack import EmulatorError, environment_for, start_emulator
from dev.emulators.table import ensure_table
from dev.local.cdn import PLAYLIST, UHD_PLAYLIST, UHD_PREFIX, cdn
from dev.local.cors import VARIABLE as CORS_ORIGINS
from dev.local.cors import Origins, parse_origins
from dev.local.demo import page
from dev.local.gateway import HEARTBEAT_URL, gateway
from dev.local.terminal import RequestLines, WithoutEvents
from dev.tools.command import words
from entrypoints import bootstrap
from entrypoints.settings import (
    MAX_LEASE_SECONDS_WITH_TOKENS,
    NO_PLAYBACK_KEY,
    Anonymous,
    Auth,
    Settings,
    SettingsError,
)

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = "3000"
DEFAULT_TABLE = "stream-limiter-local"
STORE_URL = "AWS_ENDPOINT_URL_DYNAMODB"
UHD = "uhd"
"""The group of the streams that play the video in higher quality."""

VARIABLES = {
    "PORT": f"port on this machine ({DEFAULT_PORT}); 0 takes a free one",
    CORS_ORIGINS: "origins whose pages may call, separated by commas (those on this machine)",
    STORE_URL: "a store of your own, such as DynamoDB Local (an embedded one)",
    "TABLE_NAME": f"its table ({DEFAULT_TABLE})",
    "AUTH": "only none: API Gateway authenticates, and there is none here",
    "…": "any other setting of docs/configuration.md, such as MAX_STREAMS or LEASE_SECONDS",
}


def main() -> None:
    """Serve until Ctrl-C, SIGTERM or the end of the terminal, leaving no process."""
    words("run", __doc__, VARIABLES)
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as it is under nohup
        signal.signal(signal.SIGHUP, _stop)
    try:
        origins = parse_origins(os.environ.get(CORS_ORIGINS))
        listener = _listen(os.environ.get("PORT") or DEFAULT_PORT)
        if os.environ.get("AUTH") not in {None, "", Auth.NONE}:
            print("AUTH has no effect: make run has no authentication, unlike make up AUTH=jwt or iam.")
        with _store():
            _apply_default_groups()
            settings = _apply_default_heartbeat_url(_apply_default_playback_key(), listener)
            bootstrap.service()  # wrong settings are reported now, not by the first request
            _serve(listener, settings, origins)
    except KeyboardInterrupt:
        pass
    except (EmulatorError, SettingsError, OSError, ValueError) as error:
        sys.exit(f"make run: {error}")


def _apply_default_groups() -> None:
    """Allow each user one stream in UHD, and the UHD video only to such a stream, unless the settings differ.

    An empty variable counts as set: it means no groups, or no paths for them.
    """
    if not {"GROUP_LIMITS", "GROUP_LABELS"} & os.environ.keys():
        os.environ["GROUP_LIMITS"] = f"{UHD}=1"
    if "GROUP_PATHS" not in os.environ and UHD in Settings.from_environment().groups:
        os.environ["GROUP_PATHS"] = f"{UHD_PREFIX}={UHD}"


def _apply_default_playback_key() -> Settings:
    """Make a playback key for this process unless the settings have one or want none; return the settings.

    With leases that are too long for tokens, the service starts without a key.
    """
    settings = Settings.from_environment()
    is_configured = settings.issues_tokens or settings.playback_key.get_secret_value() == NO_PLAYBACK_KEY
    if is_configured or settings.lease_seconds > MAX_LEASE_SECONDS_WITH_TOKENS:
        return settings
    os.environ["PLAYBACK_KEY"] = f"local:{secrets.token_urlsafe(32)}"
    return Settings.from_environment()


def _apply_default_heartbeat_url(settings: Settings, listener: socket.socket) -> Settings:
    """Serve a heartbeat URL, which accepts a playback token instead of a login, unless the settings differ.

    An empty variable counts as set: it means no such URL.
    """
    if "HEARTBEAT_URL" in os.environ or not settings.issues_tokens or settings.playback_cookie_domain:
        return settings
    os.environ["HEARTBEAT_URL"] = f"http://localhost:{listener.getsockname()[1]}{HEARTBEAT_URL}"
    return Settings.from_environment()


def _about_video(settings: Settings) -> str:
    """Return lines that describe access to the video."""
    if settings.playback_keys:
        holders = f"The video at {PLAYLIST} needs a playback token; other requests get a 403."
        group = settings.group_paths.get(UHD_PREFIX)
        better = f"\nIn UHD, at {UHD_PLAYLIST}, it needs a stream in the group {group}." if group else ""
        return holders + better
    if settings.playback_key_parameter:
        reason = "the edge here does not read PLAYBACK_KEY_PARAMETER"
    elif settings.lease_seconds > MAX_LEASE_SECONDS_WITH_TOKENS:
        reason = f"there are no playback tokens with LEASE_SECONDS above {MAX_LEASE_SECONDS_WITH_TOKENS}"
    else:
        reason = f"there are no playback tokens with PLAYBACK_KEY={NO_PLAYBACK_KEY}"
    return f"The video at {PLAYLIST} is open to everyone: {reason}."


def _serve(listener: socket.socket, settings: Settings, origins: Origins) -> None:
    port = listener.getsockname()[1]

    @asynccontextmanager
    async def announce(_: Starlette) -> AsyncIterator[None]:
        print(f"Every caller is trusted here (no authentication). Try:\n{_example(port, settings)}")
        print(f"  or open http://localhost:{port} and play with four screens")
        print(_about_video(settings))
        print(f"ready http://localhost:{port}", flush=True)
        yield

    others = [*page(settings), cdn(settings.playback_keys, settings.group_paths)]
    app = gateway(announce, others, origins, allow_credentials=settings.playback_cookie_domain != "")
    terminal = sys.stdout
    if not terminal.isatty():
        _run(app, listener)
        return
    with redirect_stdout(WithoutEvents(terminal)):
        _run(RequestLines(app, settings.max_streams, terminal), listener)


def _run(app: ASGIApp, listener: socket.socket) -> None:
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def _example(port: int, settings: Settings) -> str:
    """Return a command for a start that these settings allow."""
    name = ', "streamId": "tv-1"' if settings.anonymous is Anonymous.REFUSE else ""
    return f"""  curl -X POST http://localhost:{port}/stream/start -d '{{"userId": "1"{name}}}'"""


def _listen(port: str) -> socket.socket:
    """Open the port before anything else is started."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, int(port)))
    except (OSError, OverflowError, ValueError):
        raise ValueError(f"port {port} cannot be used; choose another one with PORT=…") from None
    listener.listen(1024)
    return listener


@contextmanager
def _store() -> Iterator[None]:
    """Use the store that the SDK's own variable names, or an embedded one until this process ends."""
    os.environ.setdefault("TABLE_NAME", DEFAULT_TABLE)
    os.environ["AUTH"] = Auth.NONE  # API Gateway authenticates, and there is none here
    store_url = os.environ.get(STORE_URL)
    if store_url:
        if urlsplit(store_url).hostname in {"localhost", LOOPBACK, "::1"}:
            _default_environment(environment_for(store_url))
            ensure_table(boto3.client("dynamodb"), os.environ["TABLE_NAME"])
        yield
        return
    with start_emulator() as emulator:
        os.environ.update(environment_for(emulator.endpoint_url))
        os.environ.pop("AWS_PROFILE", None)  # the local store has no profiles
        ensure_table(boto3.client("dynamodb"), os.environ["TABLE_NAME"])
        yield


def _default_environment(variables: Mapping[str, str]) -> None:
    """Set default credentials and region: a local store accepts any, but the SDK requires them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        os.environ.setdefault(name, variables[name])


def _stop(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
