"""A Chromium that goes through the dashboard as a user does: tests/browser/FLOW.mjs, driven by playwright-core.

A flow and its test talk in lines of JSON: what the flow is given first, then what it asks the test to do in between.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable

import npm
import pytest

FOLDER = Path(__file__).with_name("browser")


def chromium() -> str:
    found = shutil.which("chromium")
    if not found:
        pytest.skip("deploy/packages test")
    return found


def flow(name: str, handlers: dict[str, Callable[..., Any]] | None = None, timeout: float = 120, **given: Any) -> Any:
    """Runs FLOW; what it reports. HANDLERS: called by name when it asks for something, with the details as keywords."""
    environment = npm.environment(FOLDER)
    child = subprocess.Popen(["node", FOLDER / "run.mjs", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, env={**environment, "HOME": "/tmp"})
    reported: Any = None
    said: list[str] = []
    # As it would be told by communicate, without waiting for the end.
    listener = threading.Thread(target=lambda: said.extend(child.stderr))
    listener.start()
    clock = threading.Timer(timeout, child.kill)
    clock.start()
    try:
        def tell(value: Any) -> None:
            child.stdin.write(json.dumps(value) + "\n")
            child.stdin.flush()

        tell({"chromium": chromium(), **given})
        for line in child.stdout:
            message = json.loads(line)
            if "report" in message:
                reported = message["report"]
            else:
                tell((handlers or {})[message.pop("ask")](**message))
    except BrokenPipeError:
        pass  # it ended; its words follow
    finally:
        clock.cancel()
        child.stdin.close()
        child.stdout.close()
        code = child.wait(20)
        listener.join(5)
        child.stderr.close()
    assert code == 0, f"the flow {name} ended with {code}\n{''.join(said)}"
    return reported
