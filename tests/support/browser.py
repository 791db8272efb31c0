"""A Chromium of this machine, for the tests that need one."""

from contextlib import AbstractContextManager

from playwright.sync_api import Browser

from dev.tools.browser import MISSING, chromium, find
from tests.support.commands import skip_or_fail


def installed_browser() -> AbstractContextManager[Browser]:
    """Run it without a window, or skip the test if there is none."""
    path = find()
    if path is None:
        skip_or_fail(MISSING)
    return chromium(path)
