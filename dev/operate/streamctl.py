"""`make streamctl`: the operator's command line, with a stage's table and settings."""

import os
import sys
from collections.abc import Mapping
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from dev.operate.stage import StackError, deployed_settings, enter_stage, region
from entrypoints import streamctl

OF_FUNCTIONS_ALONE: Final = {"STORE_CLIENT"}
"""A setting for functions only: the lean client finds a function's credentials, but not a profile's."""


def main() -> int:
    """Run the command on TABLE_NAME, otherwise on STAGE, the stage that `make up` deployed, or dev."""
    streamctl.parse(sys.argv[1:])  # the help and a typing error need no stage
    if not os.environ.get("TABLE_NAME"):
        try:
            settings = settings_of(stage := enter_stage())
        except (StackError, BotoCoreError) as error:
            print(f"streamctl: {error}", file=sys.stderr)
            return 1
        os.environ.update({name: value for name, value in settings.items() if not os.environ.get(name)})
        print(f"Stage {stage}, table {os.environ['TABLE_NAME']}", file=sys.stderr)
    streamctl.main()
    return 0


def settings_of(stage: str) -> Mapping[str, str]:
    """Return the settings for work on a stage: those of its functions.

    Raises:
        StackError: the stage is not deployed, or its functions may not be read.
    """
    try:
        settings = deployed_settings(stage, region())
    except ClientError as error:
        raise StackError(
            f"The settings of stage {stage} could not be read ({error.response['Error']['Code']}): allow"
            " lambda:GetFunctionConfiguration, or name the table with TABLE_NAME=…."
        ) from None
    if not settings:
        raise StackError(
            f"Stage {stage} is not deployed in this account and region: name another with STAGE=…, or the"
            " table with TABLE_NAME=…."
        )
    return {name: value for name, value in settings.items() if name not in OF_FUNCTIONS_ALONE}


if __name__ == "__main__":
    sys.exit(main())
