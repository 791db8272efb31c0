import hmac

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.keyed_digest import BLOCK_BYTES, KeyedDigest

KEYS = st.binary(max_size=2 * BLOCK_BYTES + 1)
CONTENTS = st.lists(st.binary(max_size=300), min_size=1, max_size=3)


@given(KEYS, CONTENTS)
@example(bytes(BLOCK_BYTES), [b""])  # the longest key that is not digested itself
@example(bytes(BLOCK_BYTES + 1), [b""])
def test_a_digest_is_the_hmac_of_its_content_alone(key: bytes, contents: list[bytes]) -> None:
    """Each digest equals the standard library's HMAC-SHA256, whatever was digested before."""
    keyed = KeyedDigest(key)

    assert [keyed.digest(content) for content in contents] == [
        hmac.digest(key, content, "sha256") for content in contents
    ]
