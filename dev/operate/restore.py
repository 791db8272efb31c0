"""`make restore TABLE_NAME=… AT=…`: restore users' streams to a moment in the last 35 days."""

import os
import sys
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from dev.operate.stage import StackError, region
from dev.tools.command import words

EXAMPLE = "2026-01-31T18:00:00Z"
POLL_SECONDS = 20
RESTORE_TIMEOUT_SECONDS = 6 * 3600  # AWS guarantees no duration; a large table takes hours


def restore(dynamodb: Any, name: str, at: datetime | None) -> int:
    """Restore every item that a table had at that moment, or a few minutes ago; return their number.

    AWS restores only into a new table, which is copied back and deleted. Later users stay.

    Args:
        dynamodb: boto3's resource.
        name: the table.
        at: the moment, or None for the latest one possible.
    """
    client = dynamodb.meta.client
    moment = {"UseLatestRestorableTime": True} if at is None else {"RestoreDateTime": at}
    copy = dynamodb.Table(f"{name}-restored")
    client.restore_table_to_point_in_time(SourceTableName=name, TargetTableName=copy.name, **moment)
    client.get_waiter("table_exists").wait(
        TableName=copy.name,
        WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": RESTORE_TIMEOUT_SECONDS // POLL_SECONDS},
    )
    count = 0
    with dynamodb.Table(name).batch_writer() as batch:
        for page in client.get_paginator("scan").paginate(TableName=copy.name):
            for item in page["Items"]:
                batch.put_item(Item=item)
                count += 1
    copy.delete()
    return count


def _moment(text: str) -> datetime | None:
    """Return the moment in AT; `None` if it is empty.

    Raises:
        StackError: it is not a moment with a time zone.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise StackError(f"AT must be a moment with its time zone, as in {EXAMPLE}, not {text!r}.")
    return at


VARIABLES = {
    "TABLE_NAME": "the table",
    "AT": "the moment with its time zone, by default the latest one possible",
    "AWS_REGION": "the region, by default the AWS profile's",
}


def main() -> int:
    """Restore TABLE_NAME to the moment AT, or to the latest one possible."""
    name = os.environ.get("TABLE_NAME")
    if not name:
        print(f"Which table? make restore TABLE_NAME=… AT={EXAMPLE}", file=sys.stderr)
        return 2
    try:
        at = _moment(os.environ.get("AT", ""))
        dynamodb = boto3.resource("dynamodb", region_name=region())
        count = restore(dynamodb, name, at)
    except (StackError, BotoCoreError, ClientError, WaiterError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{count} users' streams are restored.")
    return 0


if __name__ == "__main__":
    words("restore", __doc__, VARIABLES)
    sys.exit(main())
