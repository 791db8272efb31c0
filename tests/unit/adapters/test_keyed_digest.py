import hmac
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from adapters.keyed_digest import KeyedDigest

KEYS = st.binary(max_size=2 * sha256().block_size + 1)  # shorter than a block, as long, and longer
CONTENTS = st.lists(st.binary(max_size=300), min_size=1, max_size=3)


@given(KEYS, CONTENTS)
def test_a_digest_is_the_hmac_of_its_content(key: bytes, contents: list[bytes]) -> None:
    """Each digest equals the standard library's HMAC-SHA256, whatever was digested before."""
    keyed = KeyedDigest(key)

    assert [keyed.digest(content) for content in contents] == [
        hmac.digest(key, content, "sha256") for content in contents
    ]
