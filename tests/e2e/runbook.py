"""The commands of docs/runbook.md."""

import re
from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.watched import WatchedStage

PAGE = Path(__file__).parents[2] / "docs" / "runbook.md"


def commands(stage: WatchedStage, user: str, stream: str) -> list[str]:
    """Give every command, about this stage, user and stream; each knows what its block exports."""
    text = PAGE.read_text(encoding="utf-8")
    meant = {
        "stage": stage.stage,
        "api_url": stage.api_url,
        "user": user,
        "stream": stream,
        "kvs_arn": "none",
        "moment": datetime.now(UTC).isoformat(timespec="seconds"),
    }
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
