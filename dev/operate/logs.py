"""`make logs`, `make logs FN=start`: follow the functions' logs, on the emulator or on AWS.

The service's events and errors are shown; Lambda's lines about each invocation need ALL=1.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from dev.operate.stage import FUNCTIONS, URL_FUNCTION, StackError, enter_stage, function_name, region
from dev.tools.command import words

RED, GREEN, YELLOW, GREY, PLAIN = "\033[31m", "\033[32m", "\033[33m", "\033[90m", "\033[0m"
COLOURS = dict.fromkeys(
    ("refused", "gone", "invalid", "denied", "would_refuse", "unverified", "evicted"), YELLOW
)
LOOKBACK_SECONDS = 600
POLL_SECONDS = 2
# CloudWatch shows an event some seconds late, and not always in order.
MAX_DELAY_SECONDS = 60

_OF_AN_INVOCATION: Final = re.compile(r"(START|END|REPORT|(INIT|RESTORE)_(START|REPORT)) ")
"""https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html"""


VARIABLES = {
    "STAGE": "the stage; by default the one that `make up` deployed, otherwise dev",
    "FOLLOW": "0 to print only the last ten minutes",
    "ALL": "1 to print Lambda's lines too",
    "AWS_REGION": "the region, by default the AWS profile's",
}


def main(arguments: list[str]) -> int:
    """Print these functions' logs of the last ten minutes and follow them until Ctrl-C, unless FOLLOW=0.

    Without arguments, print all functions' logs. A terminal gets coloured lines, a pipe JSON.
    """
    every_function = (*FUNCTIONS, URL_FUNCTION)
    functions = arguments or every_function
    if unknown := set(functions) - set(every_function):
        print(
            f"There is no function {', '.join(sorted(unknown))}: FN is {', '.join(every_function)}.",
            file=sys.stderr,
        )
        return 2
    try:
        stage, where = enter_stage(), region()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    groups = [f"/aws/lambda/{function_name(stage, key)}" for key in functions]  # as in terraform/logs.tf
    shown = readable if sys.stdout.isatty() else as_json
    try:
        client = boto3.client("logs", region_name=where)
        print(f"Log group {', '.join(groups)} at {client.meta.endpoint_url}", file=sys.stderr)
        shows_all = os.environ.get("ALL") == "1"
        for message in messages(client, groups, follow=os.environ.get("FOLLOW") != "0"):
            if shows_all or not is_of_an_invocation(message):
                print(shown(message.rstrip("\n")), flush=True)
    except (BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return 0


def is_of_an_invocation(line: str) -> bool:
    """Return whether Lambda wrote the line, for an invocation or the start of a process."""
    return _OF_AN_INVOCATION.match(line) is not None


def as_json(line: str) -> str:
    """Return an event unchanged, and any other line, such as Lambda's, as an object with a `message`."""
    try:
        is_event = isinstance(json.loads(line), dict)
    except ValueError:
        is_event = False
    return line if is_event else json.dumps({"message": line})


def readable(line: str) -> str:
    """Format an event as one line for people, coloured by its outcome, and any other line in grey."""
    try:
        event = json.loads(line)
        colour = {"error": RED}.get(event["level"], COLOURS.get(event["outcome"], GREEN))
    except (ValueError, TypeError, KeyError):
        return f"{GREY}{line}{PLAIN}"
    time_of_day = str(event.get("timestamp", ""))[11:23]
    if event.get("event") == "heartbeats":
        return f"{GREY}{time_of_day} {len(event['requests'])} more heartbeats {event['outcome']}{PLAIN}"
    text = (
        f"{GREY}{time_of_day}{PLAIN} {event.get('route', ''):24} {colour}{event['outcome']:13}{PLAIN}"
        f" {event.get('status', '')} {event.get('user', '-'):16} streams {event.get('stream_count', '-')}"
        f" {GREY}{event.get('duration_ms', '-')} ms, {event.get('store_calls', '-')} calls{PLAIN}"
    )
    return "\n".join([text, *(f"    {one}" for one in event.get("exception", "").splitlines())])


def messages(client: Any, groups: Sequence[str], *, follow: bool) -> Iterator[str]:
    """Yield the log lines of the last ten minutes; with `follow`, also yield new ones indefinitely."""
    since = int((time.time() - LOOKBACK_SECONDS) * 1000)
    given: dict[str, int] = {}
    while True:
        found = [event for group in groups for event in _events(client, group, since)]
        for event in sorted(found, key=lambda event: int(event["timestamp"])):
            # The emulator gives no ids: identical lines in the same millisecond count as one there.
            identity = event.get("eventId") or f"{event['timestamp']} {event['message']}"
            if identity not in given:
                given[identity] = event["timestamp"]
                yield event["message"]
        if not follow:
            return
        since = max([since, *(at - MAX_DELAY_SECONDS * 1000 for at in given.values())])
        given = {identity: at for identity, at in given.items() if at >= since}
        time.sleep(POLL_SECONDS)


def _events(client: Any, group: str, since: int) -> Sequence[dict[str, Any]]:
    try:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        return [event for page in pages for event in page["events"]]
    except ClientError as error:
        if group.endswith(URL_FUNCTION) and error.response["Error"]["Code"] == "ResourceNotFoundException":
            return []  # this stage has no heartbeat URL
        raise


if __name__ == "__main__":
    sys.exit(main(words("logs", __doc__, VARIABLES, takes="functions, all by default")))
