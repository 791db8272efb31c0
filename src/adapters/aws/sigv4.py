"""AWS Signature Version 4 for services such as DynamoDB: a POST of JSON to `/`, always with the same headers.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from adapters.keyed_digest import KeyedDigest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SERVICES: Final = {
    "dynamodb": ("DynamoDB_20120810", "application/x-amz-json-1.0"),
    "ssm": ("AmazonSSM", "application/x-amz-json-1.1"),
}
"""Services with such an API: the prefix of the operation in a header, and the content type."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials that sign a request.

    Attributes:
        access_key: the public part.
        secret_key: the secret part.
        session_token: belongs to credentials that expire, such as those of a role.
    """

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class Signer:
    """A signer of requests to one host.

    Args:
        credentials: valid for as long as this signer is used.
        region: the region that the host is in.
        host: the Host header, with the port if it is not the default one.
        service: one of `SERVICES`.
    """

    def __init__(self, credentials: Credentials, region: str, host: str, service: str = "dynamodb") -> None:
        self._credentials = credentials
        self._region = region
        self._host = host
        self._service = service
        self._target, self._content_type = SERVICES[service]
        token = credentials.session_token
        self._token_header = {} if token is None else {"X-Amz-Security-Token": token}
        self._token_line = "" if token is None else f"x-amz-security-token:{token}\n"
        names = ["content-type", "host", "x-amz-date", *map(str.lower, self._token_header), "x-amz-target"]
        self._signed_headers = ";".join(names)
        self._day_and_mac = ("", KeyedDigest(b""))  # one value, as threads share it

    def headers(self, operation: str, body: bytes, now: float) -> dict[str, str]:
        """Return every header of a request for this operation with this body, made at this epoch second."""
        target = f"{self._target}.{operation}"
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        day = moment[:8]
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        canonical_request = (
            f"POST\n/\n\ncontent-type:{self._content_type}\nhost:{self._host}\nx-amz-date:{moment}\n"
            f"{self._token_line}x-amz-target:{target}\n\n{self._signed_headers}\n{sha256(body).hexdigest()}"
        )
        digest = sha256(canonical_request.encode()).hexdigest()
        text = f"{ALGORITHM}\n{moment}\n{scope}\n{digest}"
        signature = self._mac(day).digest(text.encode()).hex()
        credential = f"{self._credentials.access_key}/{scope}"
        return {
            "Host": self._host,
            "Content-Type": self._content_type,
            "X-Amz-Date": moment,
            "X-Amz-Target": target,
            **self._token_header,
            "Authorization": f"{ALGORITHM} Credential={credential},"
            f" SignedHeaders={self._signed_headers}, Signature={signature}",
        }

    def _mac(self, day: str) -> KeyedDigest:
        """Return the digest under the day's key, which costs four digests."""
        known, mac = self._day_and_mac
        if known != day:
            key = f"AWS4{self._credentials.secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            mac = KeyedDigest(key)
            self._day_and_mac = (day, mac)
        return mac
