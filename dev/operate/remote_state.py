"""`make remote-state`: a bucket for Terraform's states, and the move of a stage's state there."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from dev import ROOT
from dev.operate.deploy import backend_config, chosen_stage, needs_confirmation
from dev.operate.stage import StackError, region
from dev.tools.command import words
from dev.tools.terraform import PROVIDER_VARIABLE, STATE_BUCKET, STATES, Stack, TerraformError, binary

SETTINGS = """\
# The location of this stage's state and its lock. Written by `make remote-state`; not a secret: commit it.
bucket       = "{bucket}"
region       = "{region}"
encrypt      = true
use_lockfile = true
"""


def use_remote_state() -> None:
    """Create BUCKET unless it exists, write STAGE's backend settings, and move its local state there."""
    stage, bucket, where = chosen_stage(), os.environ.get("BUCKET"), region()
    if not bucket:
        raise StackError(
            "Which bucket? make remote-state STAGE=… BUCKET=… creates it, or uses an existing one."
        )
    states = Stack(
        directory=ROOT / "build" / "stacks" / f"state-bucket-{bucket}",
        state=STATES / f"state-bucket-{bucket}.tfstate",
        stage=None,
        variables={"bucket": bucket},
        configuration=STATE_BUCKET,
    )
    exists = _bucket_exists(bucket, where)
    # Without its state here, another machine made the bucket: use it unchanged.
    if states.state.exists() or not exists:
        states.init()
        states.apply(confirm=needs_confirmation())
    settings = backend_config(stage)
    settings.write_text(SETTINGS.format(bucket=bucket, region=where))
    print(f"`make deploy STAGE={stage}` keeps its state in {bucket}, as set in {_shown(settings)}.")
    local = STATES / f"{stage}.tfstate"
    if local.exists():
        directory = ROOT / "build" / "stacks" / stage
        stack = replace(states, directory=directory, stage=stage, backend_config=settings)
        stack.init()
        stack.adopt(local)
        print(f"Its state was moved there from this machine; a copy is {_shown(_set_aside(local))}.")


def _bucket_exists(bucket: str, where: str) -> bool:
    """Return whether the bucket exists in the caller's account.

    Without an expected owner, S3 would also answer 200 for another account's public bucket.

    Raises:
        StackError: the bucket is another account's, or the caller may not access it.
    """
    account = boto3.client("sts", region_name=where).get_caller_identity()["Account"]
    try:
        boto3.client("s3", region_name=where).head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            return False
        raise StackError(
            f"The bucket {bucket} does not belong to the account {account}, or you may not use it:"
            " choose another name."
        ) from error
    return True


def _set_aside(state: Path) -> Path:
    return state.rename(state.with_name(f"{state.name}.moved"))


def _shown(file: Path) -> Path:
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


VARIABLES = {
    "STAGE": "the stage, dev by default",
    "BUCKET": "the bucket for the states, created if it does not exist",
    "AWS_REGION": "the region, by default the AWS profile's",
    **PROVIDER_VARIABLE,
}


def main() -> int:
    """Run it."""
    try:
        binary()  # fail now if Terraform is missing
        use_remote_state()
    except (StackError, TerraformError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    words("remote-state", __doc__, VARIABLES)
    sys.exit(main())
