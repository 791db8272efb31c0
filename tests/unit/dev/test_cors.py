"""CORS_ORIGINS: the pages of other origins that may call `make run`."""

import pytest
from starlette.responses import PlainTextResponse

from dev.local.cors import HEADERS, METHODS, Origins, parse_origins
from tests.support.service import request_app

LOCAL = ("http://localhost:5173", "https://localhost", "http://127.0.0.1:8000", "http://[::1]:8080")
FOREIGN = (
    "https://watch.example.com",
    "http://localhost.example.com",
    "http://localhost:5173.example.com",
    "http://127.0.0.1.example.com",
    "http://127x0x0x1",
    "file://localhost",
    "null",
)


def preflight(origins: Origins, origin: str, *, credentials: bool = False) -> dict[str, str]:
    """Return the CORS headers of the answer to a preflight."""
    app = origins.allow(PlainTextResponse("answer"), credentials=credentials)
    asked = {
        "origin": origin,
        "access-control-request-method": METHODS[-1],
        "access-control-request-headers": ",".join(HEADERS),
    }
    answer = request_app(app, "OPTIONS", "/stream/start", headers=asked)
    assert answer.is_success == ("access-control-allow-origin" in answer.headers)
    return {name: text for name, text in answer.headers.items() if name.startswith("access-control-allow-")}


@pytest.mark.parametrize("origin", LOCAL)
def test_every_origin_on_this_machine_may_call_by_default(origin: str) -> None:
    """By default every origin on this machine may call, on any port, by http and https."""
    assert preflight(parse_origins(None), origin)["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_other_origin_may_call_by_default(origin: str) -> None:
    """By default no other origin may call, even if its name begins like this machine's."""
    assert "access-control-allow-origin" not in preflight(parse_origins(None), origin)


def test_only_listed_origins_may_call() -> None:
    """A listed origin may call and no other, not even on this machine or on another port."""
    origins = parse_origins("https://watch.example.com, http://dev.local:5173")
    for origin in ("https://watch.example.com", "http://dev.local:5173"):
        assert preflight(origins, origin)["access-control-allow-origin"] == origin
    for origin in (*LOCAL, "http://watch.example.com", "http://dev.local:5174"):
        assert "access-control-allow-origin" not in preflight(origins, origin)


def test_an_empty_list_admits_no_origin() -> None:
    """An empty list admits no origin, as with Terraform, and as with the groups of `make run`."""
    assert "access-control-allow-origin" not in preflight(parse_origins(""), LOCAL[0])


def test_credentials_are_allowed_only_where_answers_set_a_cookie() -> None:
    """Credentials are allowed only if answers set a cookie, which browsers otherwise drop across origins."""
    name = "access-control-allow-credentials"
    assert preflight(Origins(), LOCAL[0], credentials=True)[name] == "true"
    assert name not in preflight(Origins(), LOCAL[0])


@pytest.mark.parametrize(
    "wrong",
    [
        "*",
        "localhost:5173",
        "http://localhost:5173/",
        "http://A.example",
        "http://*.example.com",
        "http://a b",
    ],
)
def test_a_wrong_origin_is_an_error_that_names_the_variable(wrong: str) -> None:
    """A value that a browser never sends as an origin is an error that names the variable."""
    with pytest.raises(ValueError, match=r"^CORS_ORIGINS: .+ is not an origin such as http://localhost:5173"):
        parse_origins(f"http://localhost:3001,{wrong}")
