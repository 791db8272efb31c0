"""The commands of docs/runbook.md and docs/support.md."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from dev.operate.stage import URL_FUNCTION
from tests.e2e.support.watched_stage import WatchedStage
from tests.support.documented import DOCS


def commands(stage: WatchedStage, user: str, stream: str) -> list[str]:
    """Return every command of the runbook, about this stage, user and stream.

    The stage has no heartbeat URL: test_heartbeat_url.py runs the command that is about one.
    """
    meant = {
        "stage": stage.stage,
        "api_url": stage.api_url,
        "user": user,
        "stream": stream,
        "kvs_arn": "none",
        "moment": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    found = commands_of("runbook.md", meant)
    return [command for command in found if URL_FUNCTION not in command]


def commands_of(page: str, meant: Mapping[str, str]) -> list[str]:
    """Return every command of a page with these names replaced; each knows what its block exports."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"^ *```(?:sh|bash|console)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        exported = ""
        for line in block.replace("\\\n", " ").splitlines():
            command = re.sub(r"<(\w+)>", lambda name: meant[name[1]], line.split(" #")[0].strip())
            if command.startswith("export "):
                exported += f"{command}; "
            elif command:
                found.append(exported + command)
    return list(dict.fromkeys(found))
