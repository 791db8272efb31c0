"""The configuration that the page of `make run` receives."""

import json

from starlette.applications import Starlette

from dev.local.demo import page
from entrypoints.settings import Settings
from tests.support.service import request_app


def test_the_page_has_the_services_plan() -> None:
    """The page has the service's grace, for its countdown, and the service's limits."""
    settings = Settings.model_validate(
        {"TABLE_NAME": "streams", "MAX_STREAMS": 4, "GROUP_LIMITS": "uhd=2", "GRACE_SECONDS": 5}
    )
    module = request_app(Starlette(routes=page(settings)), "GET", "/page/plan.js").text

    plan = json.loads(module.removeprefix("export default ").removesuffix(";"))
    assert plan == {"maxStreams": 4, "groupLimits": {"uhd": 2}, "graceSeconds": 5}
