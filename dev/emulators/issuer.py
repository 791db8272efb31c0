"""A local issuer of tokens: the documents of an OpenID Connect provider in the emulator's S3, and its key.

`make up AUTH=jwt` uses it, and `make token` signs with its key. It has no login: any caller gets any token.
"""

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

BUCKET: Final = "stream-limiter-issuer"
AUDIENCE: Final = "stream-limiter"
KEY_ID: Final = "local-1"
KEY_BITS: Final = 2048
TOKEN_SECONDS: Final = 3600


@dataclass(frozen=True)
class Issuer:
    """An issuer that signs tokens.

    Attributes:
        url: the tokens' `iss`; the documents are under it.
        key: the key that signs them (RS256).
    """

    url: str
    key: rsa.RSAPrivateKey

    @classmethod
    def at(cls, endpoint_url: str, key_file: Path) -> "Issuer":
        """Return the emulator's issuer at that address; its key is in that file, created if missing."""
        if not key_file.exists():
            key_file.parent.mkdir(exist_ok=True)
            key_file.touch(mode=0o600)
            key_file.write_bytes(
                new_key().private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - it is ours
        return cls(f"{endpoint_url}/{BUCKET}", key)

    def publish(self, s3: Any) -> None:
        """Upload the documents to where API Gateway looks for them. Idempotent."""
        everybody_reads = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/*",
        }
        s3.create_bucket(Bucket=BUCKET)
        s3.delete_public_access_block(Bucket=BUCKET)
        s3.put_bucket_policy(
            Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody_reads]})
        )
        numbers = self.key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": KEY_ID,
            "n": _base64(numbers.n.to_bytes(KEY_BITS // 8, "big")),
            "e": _base64(numbers.e.to_bytes(3, "big")),
        }
        documents = {
            ".well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/.well-known/jwks.json",
            },
            ".well-known/jwks.json": {"keys": [key]},
        }
        for name, document in documents.items():
            s3.put_object(
                Bucket=BUCKET, Key=name, Body=json.dumps(document).encode(), ContentType="application/json"
            )

    def claims(self, subject: object, /, **others: object) -> dict[str, object]:
        """Return the claims of an ordinary token, with these added or replaced; `None` removes a claim."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": now - 5,
            "exp": now + TOKEN_SECONDS,
        }
        return {name: value for name, value in {**claims, **others}.items() if value is not None}

    def token(self, subject: object, /, **others: object) -> str:
        """Return a token that API Gateway accepts."""
        signed = unsigned(self.claims(subject, **others), alg="RS256", kid=KEY_ID)
        return f"{signed}.{_base64(sign(self.key, signed))}"


def new_key() -> rsa.RSAPrivateKey:
    """Return a new key, which is saved nowhere."""
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def unsigned(claims: dict[str, object], **header: str) -> str:
    """Return a token without its signature and the dot before it."""
    return ".".join(_base64(json.dumps(part).encode()) for part in ({"typ": "JWT", **header}, claims))


def sign(key: rsa.RSAPrivateKey, text: str) -> bytes:
    """Return the RS256 signature."""
    return key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
