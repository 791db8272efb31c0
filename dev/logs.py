"""`make logs-start`, `-end`, `-heartbeat`, `-list`: follow a function's log, on the emulator or on AWS."""

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from dev.stack import LOCAL_STAGE, LocalStack, emulated_environment

FUNCTIONS = ("start", "end", "heartbeat", "list")
LOOKS_BACK_SECONDS = 600
POLLS_EVERY_SECONDS = 2
# CloudWatch shows an event some seconds after it happened, and not always in order.
LATE_BY_SECONDS = 60


def main(arguments: list[str]) -> int:
    """Print the log of one function from ten minutes ago on, until Ctrl-C; with FOLLOW=0 only up to now."""
    if len(arguments) != 1 or arguments[0] not in FUNCTIONS:
        print(f"usage: python -m dev.logs {'|'.join(FUNCTIONS)}", file=sys.stderr)
        return 2
    local = LocalStack.recorded()
    stage = os.environ.get("STAGE") or (LOCAL_STAGE if local else "dev")
    if stage == LOCAL_STAGE:
        if local is None:
            print("Nothing is up: run `make up`.", file=sys.stderr)
            return 1
        emulated = emulated_environment(local.endpoint_url)
        os.environ.clear()  # a profile of the caller's, for one, must not count
        os.environ.update(emulated)
    group = f"/aws/lambda/stream-limiter-{stage}-{arguments[0]}"  # as terraform/logs.tf names it
    try:
        # Terraform and other SDKs read AWS_REGION; boto3 alone does not.
        client = boto3.client("logs", region_name=os.environ.get("AWS_REGION"))
        print(f"Log group {group} at {client.meta.endpoint_url}", file=sys.stderr)
        for message in messages(client, group, follow=os.environ.get("FOLLOW") != "0"):
            print(message.rstrip("\n"), flush=True)
    except (BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return 0


def messages(client: Any, group: str, *, follow: bool) -> Iterator[str]:
    """Give the log's lines of the last ten minutes; with `follow` also those to come, for ever."""
    since = int((time.time() - LOOKS_BACK_SECONDS) * 1000)
    given: dict[str, int] = {}
    while True:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        for event in (event for page in pages for event in page["events"]):
            # The emulator gives no ids: there, the same line in the same millisecond is taken for one.
            identity = event.get("eventId") or f"{event['timestamp']} {event['message']}"
            if identity not in given:
                given[identity] = event["timestamp"]
                yield event["message"]
        if not follow:
            return
        since = max([since, *(at - LATE_BY_SECONDS * 1000 for at in given.values())])
        given = {identity: at for identity, at in given.items() if at >= since}
        time.sleep(POLLS_EVERY_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
