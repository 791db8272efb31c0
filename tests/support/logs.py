"""A check that no log names the users of these tests."""

import json
import re
from typing import Any, Final

from tests.support.documented import FIELDS

SECRETS: Final = ("viewer", "bearer", "eyj", "aws4-hmac", "2d3rheohaqwh")
"""The names of the users of these tests, and the beginnings of tokens and signatures: in small letters."""


def log_lines(logs: Any) -> list[str]:
    """Return every line of every log of the account, after checking that it has events about users."""
    lines = [
        event["message"]
        for groups in logs.get_paginator("describe_log_groups").paginate()
        for group in groups["logGroups"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in page["events"]
    ]
    assert any('"user":' in line for line in lines)
    return lines


def leaks(lines: list[str]) -> list[str]:
    """Return the lines that name a user, hold a token, or are events with other fields than documented."""
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return [
        *(line for line in lines if any(secret in line.lower() for secret in SECRETS)),
        *(str(event) for event in events if not event.keys() <= FIELDS.keys()),
        *(str(event) for event in events if not re.fullmatch("[0-9a-f]{16}", event.get("user", "0" * 16))),
    ]
