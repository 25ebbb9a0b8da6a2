"""The page's pure modules, tested where they need no browser: `node --test`."""

import os
import shutil
import subprocess

import pytest

from tests.e2e.browser.patience import LIMITS, WEB_CLIENT, named_limits


def test_the_pure_modules_of_the_page_keep_their_promises() -> None:
    node = shutil.which("node")
    if node is None:
        missing = "Node.js is not installed (Debian: apt-get install nodejs)"
        if os.environ.get("TESTS_NO_SKIP") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    tests = sorted(str(path) for path in (WEB_CLIENT / "tests").rglob("*.test.js"))
    assert tests
    ran = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_limit_that_tests_do_without_is_one_of_the_page() -> None:
    assert named_limits() == LIMITS
