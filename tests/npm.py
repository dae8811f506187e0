"""Programs of the tests that need Node and npm packages: tests/node/install fetches those, once for a build folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_INSTALL = Path(__file__).with_name("node") / "install"
_NOT_REACHED = re.compile("ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH")


def environment(folder: Path) -> dict[str, str]:
    """The environment in which node finds the packages of FOLDER. Skips where there is no Node, or npm reaches no registry."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("deploy/packages bench")
    done = subprocess.run([_INSTALL, folder], capture_output=True, text=True, timeout=300)
    if _NOT_REACHED.search(done.stderr):
        pytest.skip("npm reaches no registry")
    assert done.returncode == 0, done.stderr
    return {**os.environ, "NODE_PATH": f"{done.stdout.strip()}/node_modules"}
