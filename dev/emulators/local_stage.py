"""The record of the stage that `make up` brought up, from which other commands find its emulator."""

import json
from dataclasses import dataclass
from pathlib import Path

from dev.emulators.ministack import Emulator
from dev.tools.terraform import STATES

LOCAL_STAGE = "local"
RECORD = STATES / f"{LOCAL_STAGE}.json"


@dataclass(frozen=True)
class LocalStage:
    """The record of a stage that `up` deploys, for later commands."""

    port: int
    emulator: Emulator | None
    """The emulator that `up` started; None if it was already running."""
    auth: str = "none"
    """The authentication of callers."""
    user_claim: str = ""
    """The claim of a token that identifies the user; if empty, its subject."""

    @property
    def endpoint_url(self) -> str:
        """The emulator's URL."""
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def recorded(cls) -> "LocalStage | None":
        """Return the record of the last `up`; None when no stage is up."""
        if not RECORD.exists():
            return None
        record = json.loads(RECORD.read_text())
        port = record["port"]
        started = record["started"]
        emulator = Emulator(started["pid"], port, Path(started["directory"])) if started else None
        return cls(port, emulator, record.get("auth", "none"), record.get("user_claim", ""))

    def write(self) -> None:
        """Write the record."""
        STATES.mkdir(exist_ok=True)
        ours = self.emulator
        started = {"pid": ours.pid, "directory": str(ours.directory)} if ours else None
        record = {"port": self.port, "started": started, "auth": self.auth, "user_claim": self.user_claim}
        RECORD.write_text(json.dumps(record))
