from base64 import b64encode
from datetime import UTC, datetime
from unittest.mock import patch

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SdkCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.aws.sigv4 import SERVICES, Credentials, Signer
from tests.support.properties import examples

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive bounds, aware values
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
TOKENS = st.binary(min_size=1, max_size=900).map(lambda token: b64encode(token).decode())
"""Some session tokens are longer than a thousand characters."""

BODIES = st.binary(max_size=300) | st.text(max_size=100).map(str.encode)
REGIONS = st.from_regex(r"[a-z]{2}-[a-z]{4,9}-[1-9]", fullmatch=True)
HOSTS = st.sampled_from(["ssm.eu-central-1.amazonaws.com", "localhost:8000", "[::1]:8000"])
OPERATIONS = st.sampled_from(["UpdateItem", "GetItem", "GetParameter"])


@settings(max_examples=examples(10))
@given(
    credentials=st.builds(Credentials, SECRETS, SECRETS, st.none() | TOKENS),
    service=st.sampled_from(sorted(SERVICES)),
    region=REGIONS,
    host=HOSTS,
    calls=st.lists(st.tuples(OPERATIONS, BODIES, MOMENTS), min_size=2, max_size=4),
)
def test_every_header_equals_botocores(
    credentials: Credentials,
    service: str,
    region: str,
    host: str,
    calls: list[tuple[str, bytes, datetime]],
) -> None:
    """Over some 2,500 requests of all kinds, days and credentials, each header equals botocore's."""
    signer = Signer(credentials, region, host, service)
    sdk_credentials = SdkCredentials(
        credentials.access_key, credentials.secret_key, credentials.session_token
    )
    name, content_type = SERVICES[service]
    for operation, body, moment in calls:
        request = AWSRequest(
            "POST",
            f"https://{host}/",
            {"X-Amz-Target": f"{name}.{operation}", "Content-Type": content_type},
            body,
        )
        with patch.object(auth, "get_current_datetime", lambda moment=moment: moment.replace(tzinfo=None)):
            auth.SigV4Auth(sdk_credentials, service, region).add_auth(request)
        expected = {**request.headers, "Host": host}
        assert signer.headers(operation, body, moment.timestamp()) == expected


def test_credentials_never_show_their_secrets() -> None:
    """Credentials show no secret as text, so a traceback or a log may show them."""
    assert repr(Credentials("AKIA", "secret", "token")) == "Credentials(access_key='AKIA')"
