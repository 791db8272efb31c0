import re
from typing import Final

import pytest

from adapters.aws.api import StoreClient
from domain.policy import Enforcement, OnLimit, OnStoreFailure, Policy
from domain.streams import CEILING
from entrypoints.settings import Anonymous, Auth, LogLevel, Settings, SettingsError, UnknownFields

KEY = f"2026-a:{'k' * 43}"
ALL = {
    "AUTH": "iam",
    "USER_CLAIM": "custom:household",
    "LIMIT_CLAIM": "plan",
    "UNKNOWN_FIELDS": "ignore",
    "ANONYMOUS": "refuse",
    "TABLE_NAME": "streams-prod",
    "MAX_STREAMS": "5",
    "LEASE_SECONDS": "60",
    "HEARTBEAT_SECONDS": "7.5",
    "GRACE_SECONDS": "0",
    "ANONYMOUS_SECONDS": "0",
    "ON_LIMIT": "evict_oldest",
    "ENFORCEMENT": "shadow",
    "ON_STORE_FAILURE": "open",
    "STORE_CLIENT": "lean",
    "LOG_LEVEL": "warning",
    "LOG_HASH_KEY": "pepper",
    "HEARTBEAT_LOG_SAMPLE": "100",
    "PLAYBACK_KEY": KEY,
    "TOKEN_OVERLAP": "3",
    "OPEN_TOKENS": "true",
    "PLAYBACK_COOKIE_DOMAIN": "example.com",
    "SESSION_SECONDS": "3600",
    "GROUP_LIMITS": "uhd=2, away=1",
    "GROUP_LABELS": "hd, mobile",
    "GROUP_LIMITS_CLAIM": "planGroups",
    "GROUP_PATHS": "/uhd/=uhd",
}
ELSEWHERE = {
    "LOG_HASH_KEY_PARAMETER": "/stream-limiter/log-hash-key",
    "PLAYBACK_KEY_PARAMETER": "/stream-limiter/playback-key",
    "HEARTBEAT_URL": "https://abc.lambda-url.eu-central-1.on.aws/",
}
"""The variables that can stand in place of the keys themselves, and of the cookie."""


def read(**variables: str) -> Settings:
    """Return the settings of an environment with a table's name and these variables."""
    return Settings.from_environment({"TABLE_NAME": "streams", **variables})


def test_only_the_table_is_required() -> None:
    """Every other setting has a default, and the defaults make the domain's default policy."""
    settings = read()

    assert settings.policy == Policy()
    assert settings.auth is Auth.JWT  # trust is never a default
    assert settings.log_level is LogLevel.INFO
    assert settings.heartbeat_log_sample == 1
    assert settings.log_hash_key.get_secret_value() == ""


def test_every_variable_is_read() -> None:
    """Every setting has a variable that changes it."""
    settings = Settings.from_environment(ALL)

    assert {*ALL, *ELSEWHERE} == {name.upper() for name in Settings.model_fields}
    assert settings.auth is Auth.IAM
    assert settings.user_claim == "custom:household"
    assert settings.limit_claim == "plan"
    assert settings.unknown_fields is UnknownFields.IGNORE
    assert settings.anonymous is Anonymous.REFUSE
    assert settings.table_name == "streams-prod"
    assert settings.max_streams == 5
    assert settings.policy == Policy(
        lease_seconds=60,
        heartbeat_seconds=7.5,
        grace_seconds=0,
        anonymous_seconds=0,
        on_limit=OnLimit.EVICT_OLDEST,
        enforcement=Enforcement.SHADOW,
        on_store_failure=OnStoreFailure.OPEN,
        token_overlap=3,
        open_tokens=True,
    )
    assert [key.kid for key in settings.playback_keys] == ["2026-a"]
    assert settings.playback_cookie_domain == "example.com"
    assert settings.session_seconds == 3600
    assert read(**ELSEWHERE).heartbeat_url == ELSEWHERE["HEARTBEAT_URL"]
    assert settings.group_limits == {"uhd": 2, "away": 1}
    assert settings.group_labels == ("hd", "mobile")
    assert settings.groups == {"uhd", "away", "hd", "mobile"}
    assert settings.group_limits_claim == "planGroups"
    assert settings.group_paths == {"/uhd/": "uhd"}
    assert read(**ELSEWHERE).playback_key_parameter == ELSEWHERE["PLAYBACK_KEY_PARAMETER"]
    assert settings.store_client is StoreClient.LEAN
    assert settings.log_level is LogLevel.WARNING
    assert settings.log_hash_key.get_secret_value() == "pepper"
    assert settings.heartbeat_log_sample == 100
    assert read(**ELSEWHERE).log_hash_key_parameter == ELSEWHERE["LOG_HASH_KEY_PARAMETER"]


def test_two_log_keys_are_refused() -> None:
    """A log key given both here and as a parameter is refused, because either could be meant."""
    with pytest.raises(SettingsError, match="LOG_HASH_KEY and LOG_HASH_KEY_PARAMETER"):
        read(LOG_HASH_KEY="pepper", **ELSEWHERE)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"GROUP_LIMITS": "uhd=1", "GROUP_LABELS": "hd,uhd"}, "GROUP_LABELS has groups that .* too: uhd"),
        ({"GROUP_LIMITS": ",".join(f"g{n}=1" for n in range(17))}, "more than 16 groups"),
        ({"GROUP_LIMITS": "uhd=1", "GROUP_PATHS": "/uhd/=uhd,/4k/=4k"}, "GROUP_PATHS .* not configured: 4k"),
    ],
    ids=["a group of both kinds", "too many groups", "a path of no group"],
)
def test_inconsistent_groups_are_refused(variables: dict[str, str], reason: str) -> None:
    """A group is limited or only counted, groups are few, and each path's group exists."""
    with pytest.raises(SettingsError, match=reason):
        read(**variables)


def test_sixteen_groups_may_be_of_either_kind() -> None:
    """Names, labels and paths of the greatest number and length are accepted."""
    limits = ",".join(f"{n:032}=20" for n in range(8))
    labels = ",".join(f"{n:032}" for n in range(8, 16))
    paths = ",".join(f"/{n}/={n % 16:032}" for n in range(26))
    assert len(read(GROUP_LIMITS=limits, GROUP_LABELS=labels, GROUP_PATHS=paths).groups) == 16


def test_the_process_environment_is_the_default_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the settings come from the environment of the process."""
    for name, value in ALL.items():
        monkeypatch.setenv(name, value)

    assert Settings.from_environment() == Settings.from_environment(ALL)


@pytest.mark.parametrize("name", sorted({*ALL, *ELSEWHERE} - {"TABLE_NAME"}))
def test_an_empty_variable_means_the_default(name: str) -> None:
    """An empty value means the default, because Terraform cannot leave a variable out."""
    assert read(**{name: ""}) == read()


def test_unrelated_variables_are_ignored() -> None:
    """Lambda's own variables in the same environment do no harm."""
    assert read(AWS_REGION="eu-central-1", PATH="/bin") == read()


@pytest.mark.parametrize("environment", [{}, {"TABLE_NAME": ""}])
def test_a_missing_table_is_an_error(environment: dict[str, str]) -> None:
    """A missing table is an error, because a default could be written to by mistake."""
    with pytest.raises(SettingsError, match=r"^TABLE_NAME is required\.$") as caught:
        Settings.from_environment(environment)

    assert "HEARTBEAT_SECONDS" not in str(caught.value)


FREE_TEXT: Final = {"LOG_HASH_KEY_PARAMETER", "PLAYBACK_KEY_PARAMETER"}
"""Any text is accepted."""
NO_TEXT: Final = "\ud800"
"""A value that an environment outside UTF-8 may hold."""
A_LIMIT: Final = "entry 1 is not of the form name=limit, with a limit from 0 to 20"
A_PATH: Final = (
    "the path of entry 1 must be a path of at most 256 characters of A-Z a-z 0-9 . _ ~ -"
    " that begins and ends with a slash, without empty and dot segments"
)
A_NAME: Final = "is not 1 to 32 characters of A-Z a-z 0-9 . _ -"
A_KEY: Final = (
    "playback key 1 is not of the form kid:secret, with a kid of 1 to 16 characters of A-Z a-z 0-9 _ -"
    " and a secret of 32 bytes as 43 characters of base64url without padding"
)
A_URL = "an absolute URL without a query, such as https://heartbeat.example.com/"
NO_URLS = (
    "example.com",
    "https://a.example",
    "https://a.example/?x=1",
    "https://a.example/#x",
    "ftp://a.example/",
    "https:///x",
    "https://a example/",
)

WRONG: Final = [
    ("AUTH", "basic", "must be none, jwt or iam"),
    ("AUTH", "NONE", "must be none, jwt or iam"),
    ("USER_CLAIM", "x" * 129, "must have at most 128 characters"),
    ("UNKNOWN_FIELDS", "drop", "must be refuse or ignore"),
    ("UNKNOWN_FIELDS", "IGNORE", "must be refuse or ignore"),
    ("ANONYMOUS", "false", "must be allow or refuse"),
    ("ANONYMOUS", "REFUSE", "must be allow or refuse"),
    ("LIMIT_CLAIM", "x" * 129, "must have at most 128 characters"),
    ("LIMIT_CLAIM", NO_TEXT, "must be valid Unicode text"),
    ("GROUP_LIMITS_CLAIM", "x" * 129, "must have at most 128 characters"),
    ("GROUP_LIMITS", "uhd", f"is not valid: {A_LIMIT}"),
    ("GROUP_LIMITS", "uhd=", f"is not valid: {A_LIMIT}"),
    ("GROUP_LIMITS", "uhd=-1", f"is not valid: {A_LIMIT}"),
    ("GROUP_LIMITS", "uhd=01", f"is not valid: {A_LIMIT}"),
    ("GROUP_LIMITS", f"uhd={CEILING + 1}", f"is not valid: {A_LIMIT}"),
    ("GROUP_LIMITS", "uhd=1,", f"is not valid: {A_LIMIT.replace('1', '2', 1)}"),
    ("GROUP_LIMITS", "uhd=1,uhd=2", "is not valid: a group has two limits"),
    ("GROUP_LIMITS", "ultra hd=1", f"is not valid: {A_LIMIT}"),
    ("GROUP_LIMITS", f"{'x' * 33}=1", f"is not valid: {A_LIMIT}"),
    ("GROUP_LABELS", "hd,,sd", f"is not valid: name 2 {A_NAME}"),
    ("GROUP_LABELS", "hd,hd", "is not valid: a group is named twice"),
    ("GROUP_LABELS", "h/d", f"is not valid: name 1 {A_NAME}"),
    ("GROUP_LABELS", "x" * 33, f"is not valid: name 1 {A_NAME}"),
    ("GROUP_PATHS", "/uhd/", "is not valid: entry 1 is not of the form /prefix/=name"),
    ("GROUP_PATHS", "uhd=uhd", f"is not valid: {A_PATH}"),
    ("GROUP_PATHS", "/uhd=uhd", f"is not valid: {A_PATH}"),
    ("GROUP_PATHS", "/a/../=uhd", f"is not valid: {A_PATH}"),
    ("GROUP_PATHS", "/uhd/=uhd,/uhd/=uhd", "is not valid: a path prefix is named twice"),
    ("GROUP_PATHS", ",".join(f"/{n}/=uhd" for n in range(27)), "must have a length of at most 26, not 27"),
    ("TABLE_NAME", "ab", "must have at least 3 characters"),
    ("TABLE_NAME", "a" * 1025, "must have at most 1024 characters"),
    ("MAX_STREAMS", "-1", "must be at least 0"),
    ("MAX_STREAMS", str(CEILING + 1), "must be at most 20"),
    ("MAX_STREAMS", "2.5", "must be a whole number"),
    ("MAX_STREAMS", "three", "must be a whole number"),
    ("MAX_STREAMS", "9" * 5000, "must be a whole number of fewer digits"),
    ("LEASE_SECONDS", "0", "must be at least 1"),
    ("LEASE_SECONDS", "86401", "must be at most 86400"),
    ("LEASE_SECONDS", "1.5", "must be a whole number"),
    ("HEARTBEAT_SECONDS", "0", "must be greater than 0"),
    ("HEARTBEAT_SECONDS", "-1", "must be greater than 0"),
    ("HEARTBEAT_SECONDS", "nan", "must be a finite number"),
    ("HEARTBEAT_SECONDS", "inf", "must be a finite number"),
    ("HEARTBEAT_SECONDS", "often", "must be a number"),
    ("GRACE_SECONDS", "-1", "must be at least 0"),
    ("GRACE_SECONDS", "61", "must be at most 60"),
    ("ANONYMOUS_SECONDS", "-1", "must be at least 0"),
    ("ANONYMOUS_SECONDS", "31536001", "must be at most 31536000"),
    ("ON_LIMIT", "evict", "must be reject or evict_oldest"),
    ("ENFORCEMENT", "off", "must be enforce or shadow"),
    ("ON_STORE_FAILURE", "OPEN", "must be closed or open"),
    ("STORE_CLIENT", "urllib", "must be auto, boto3 or lean"),
    ("LOG_LEVEL", "critical", "must be debug, info, warning or error"),
    ("LOG_HASH_KEY", "x" * 257, "must have a length of at most 256, not 257"),
    ("HEARTBEAT_LOG_SAMPLE", "0", "must be at least 1"),
    ("HEARTBEAT_LOG_SAMPLE", "101", "must be at most 100"),
    ("HEARTBEAT_LOG_SAMPLE", "1.5", "must be a whole number"),
    ("PLAYBACK_KEY", "2026-a", f"is not valid: {A_KEY}"),
    ("PLAYBACK_KEY", f"{KEY},{KEY}", "is not valid: two playback keys have the same kid"),
    ("PLAYBACK_KEY", f"2026-a:{'k' * 42}", f"is not valid: {A_KEY}"),
    ("TOKEN_OVERLAP", "0", "must be at least 1"),
    ("TOKEN_OVERLAP", "21", "must be at most 20"),
    ("OPEN_TOKENS", "maybe", "must be true or false"),
    ("PLAYBACK_COOKIE_DOMAIN", "com", "must be a domain of two labels or more, such as example.com"),
    (
        "PLAYBACK_COOKIE_DOMAIN",
        "example.com; Path=/",
        "must be a domain of two labels or more, such as example.com",
    ),
    ("PLAYBACK_COOKIE_DOMAIN", "a." * 127 + "a", "must have at most 253 characters"),
    *(("HEARTBEAT_URL", url, f"must be {A_URL}") for url in NO_URLS),
    ("HEARTBEAT_URL", f"https://a.example/{'x' * 2048}", "must have at most 2048 characters"),
    ("SESSION_SECONDS", "59", "must be at least 60"),
    ("SESSION_SECONDS", "43201", "must be at most 43200"),
    ("SESSION_SECONDS", "60.5", "must be a whole number"),
]


@pytest.mark.parametrize(("name", "value", "what"), WRONG)
def test_a_wrong_value_is_one_sentence(name: str, value: str, what: str) -> None:
    """A value outside its bounds stops the service with one sentence: the variable and its rule."""
    with pytest.raises(SettingsError) as caught:
        read(**{name: value})

    assert str(caught.value) == f"{name} {what}."


def test_every_setting_has_a_wrong_value() -> None:
    """The sentences above cover every setting that can be wrong."""
    assert {name for name, _, _ in WRONG} | FREE_TEXT == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(name.upper() for name in Settings.model_fields))
@pytest.mark.parametrize("value", ["?", "-1", "0", "1e400", "9" * 400, "x" * 2000, ",", NO_TEXT])
def test_every_error_is_in_the_projects_own_words(name: str, value: str) -> None:
    """Each kind of error in a setting has the project's own words."""
    try:
        read(**{name: value})
    except SettingsError as error:
        message = str(error)
        assert re.fullmatch(rf"{name} (is|must) [^\n]+\.", message)
        assert not re.search(r"Input|String should|Value|is not valid\.", message)


def test_all_wrong_values_are_reported_at_once() -> None:
    """One error lists every wrong value."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"MAX_STREAMS": "many", "ON_LIMIT": "shrug"})

    assert str(caught.value) == (
        "TABLE_NAME is required. MAX_STREAMS must be a whole number. ON_LIMIT must be reject or evict_oldest."
    )
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("MAX_STREAMS", "0", "20"),
        ("LEASE_SECONDS", "1", "86400"),
        ("GRACE_SECONDS", "0", "60"),
        ("ANONYMOUS_SECONDS", "0", "31536000"),
        ("TOKEN_OVERLAP", "1", "20"),
        ("SESSION_SECONDS", "60", "43200"),
    ],
)
def test_the_bounds_themselves_are_allowed(name: str, low: str, high: str) -> None:
    """The least and the greatest value of a range belong to it."""
    assert getattr(read(**{name: low}), name.lower()) == int(low)
    assert getattr(read(**{name: high}), name.lower()) == int(high)


@pytest.mark.parametrize(("lease", "heartbeat"), [("1", 1 / 3), ("2", 2 / 3), ("600", 200)])
def test_the_default_heartbeat_is_a_third_of_the_lease(lease: str, heartbeat: float) -> None:
    """Without a heartbeat setting, the interval is a third of the lease."""
    assert read(LEASE_SECONDS=lease).heartbeat_seconds == pytest.approx(heartbeat)


@pytest.mark.parametrize("heartbeat", ["10", "10.5", "3600"])
def test_a_heartbeat_must_be_shorter_than_a_lease(heartbeat: str) -> None:
    """The heartbeat interval must be shorter than the lease, so that players keep their slots."""
    with pytest.raises(SettingsError, match="HEARTBEAT_SECONDS must be shorter than LEASE_SECONDS"):
        read(LEASE_SECONDS="10", HEARTBEAT_SECONDS=heartbeat)


def test_a_lease_with_tokens_is_at_most_five_minutes() -> None:
    """A lease with tokens is at most five minutes, because a playback token cannot be revoked before."""
    assert read(PLAYBACK_KEY=KEY, LEASE_SECONDS="300").policy.token_overlap == 2
    for configured in ({"PLAYBACK_KEY": KEY}, {"PLAYBACK_KEY_PARAMETER": "/key"}):
        with pytest.raises(SettingsError, match="LEASE_SECONDS must be at most 300 with a playback key"):
            read(LEASE_SECONDS="301", **configured)


def test_a_heartbeat_url_requires_tokens_without_cookies() -> None:
    """A heartbeat URL needs tokens, without which it has no callers, and excludes the CDN's cookie."""
    url = ELSEWHERE["HEARTBEAT_URL"]
    assert read(PLAYBACK_KEY=KEY, HEARTBEAT_URL=url).heartbeat_url == url
    for given in ("", "off"):
        with pytest.raises(SettingsError, match="HEARTBEAT_URL needs a playback key"):
            read(PLAYBACK_KEY=given, HEARTBEAT_URL=url)
    with pytest.raises(SettingsError, match="HEARTBEAT_URL and PLAYBACK_COOKIE_DOMAIN exclude each other"):
        read(PLAYBACK_KEY=KEY, HEARTBEAT_URL=url, PLAYBACK_COOKIE_DOMAIN="example.com")


def test_names_are_counted_only_if_a_key_is_configured() -> None:
    """Names are counted if a key is configured, readable or not; `off` means that there is none."""
    assert read(PLAYBACK_KEY_PARAMETER="/key").policy.token_overlap == 2
    for given in ("", "off"):
        assert read(PLAYBACK_KEY=given, TOKEN_OVERLAP="5").policy == Policy()


def test_two_playback_keys_are_refused() -> None:
    """A playback key, or `off`, is refused beside a parameter, because either could be meant."""
    for given in (KEY, "off"):
        with pytest.raises(SettingsError, match="PLAYBACK_KEY and PLAYBACK_KEY_PARAMETER exclude each other"):
            read(PLAYBACK_KEY=given, PLAYBACK_KEY_PARAMETER="/key")


def test_settings_never_show_a_secret() -> None:
    """Neither key is in a text that could be printed."""
    settings = read(LOG_HASH_KEY="pepper", PLAYBACK_KEY=KEY)
    shown = f"{settings} {settings!r} {settings.model_dump_json()} {settings.playback_keys}"

    assert "pepper" not in shown
    assert "kkk" not in shown
    with pytest.raises(SettingsError) as caught:
        read(PLAYBACK_KEY=f"{KEY}k")
    assert "kkk" not in f"{caught.value!r}"


def test_an_error_never_shows_the_secret() -> None:
    """An error about other settings shows neither key."""
    with pytest.raises(SettingsError) as caught:
        read(LOG_HASH_KEY="pepper", LEASE_SECONDS="1", HEARTBEAT_SECONDS="1")

    assert "pepper" not in repr(caught.value)
