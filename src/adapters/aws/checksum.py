"""The checksum that DynamoDB sends with each answer."""

import zlib
from collections.abc import Mapping
from typing import Final

from adapters.aws.errors import NoAnswer

HEADER: Final = "x-amz-crc32"


def check_crc32(headers: Mapping[str, str], body: bytes) -> None:
    """Return if the body matches its checksum, or has none.

    Args:
        headers: the headers of the answer, their names in lower case.
        body: the body of the answer.

    Raises:
        NoAnswer: the body was damaged on its way.
    """
    stated = headers.get(HEADER)
    if stated is not None and stated != str(zlib.crc32(body)):
        raise NoAnswer("the answer was damaged on its way")
