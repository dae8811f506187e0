"""What docs/destinations/adding-one.md says is all that an eleventh destination needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import golden
import pytest
from cryptography.fernet import Fernet

ROOT = golden.FOLDER.parents[1]
ELSEWHERE = {"AMQP_URL": "amqp://127.0.0.1", "DATABASE_URL": "postgresql://127.0.0.1/none"}  # nobody connects
SOURCES = ["CMakeLists.txt", "api", "common", "deploy", "schema", "tests", "worker"]


def page() -> dict[str, str]:
    """The blocks of the page by their names."""
    text = (ROOT / "docs" / "destinations" / "adding-one.md").read_text()
    return {name: block for name, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)}


def run(*words: str | Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.mark.idle
def test_the_page_adds_one_that_the_build_picks_up(tmp_path: Path) -> None:
    blocks, tree, build = page(), tmp_path / "tree", tmp_path / "build"
    tree.mkdir()
    for name in SOURCES:
        whole = ROOT / name
        if whole.is_dir():
            shutil.copytree(whole, tree / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__", "corpus"))
        else:
            shutil.copy(whole, tree)
    (tree / "common" / "destinations" / "webex.c").write_text(blocks["c"])
    table = tree / "common" / "base" / "kind_table.h"
    rows = " \\\n".join(blocks["row"].rstrip().split("\n"))
    before, end = table.read_text().rsplit("\n\n#endif", 1)
    table.write_text(f"{before} \\\n{rows}\n\n#endif{end}")
    folder = tree / "tests" / "golden" / "webex"
    folder.mkdir()
    (folder / "variants.json").write_text(blocks["variants"])
    (folder / "answers.json").write_text(blocks["answers"])
    run("cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug")
    run("ninja", "-C", build, "golden_tool", "notifyctl")

    run("/usr/bin/python3", "-B", tree / "tests" / "golden" / "golden.py", "--write", build)
    assert (folder / "finding_new.message.txt").read_text() == blocks["finding_new"]
    assert (folder / "answers.txt").read_text().rstrip() == blocks["verdicts"].rstrip()
    for kind in golden.kinds():
        for path in (golden.FOLDER / kind).glob("*.txt"):
            assert path.read_text() == (tree / "tests" / "golden" / kind / path.name).read_text(), f"{kind} has changed"
    conf = tmp_path / "notify.conf"
    conf.write_text("gate = { rate_webex = 2.0; };\n")
    refused = subprocess.run([build / "notifyctl", "-c", conf, "seal", "--kind", "webex"], input="{}", capture_output=True, text=True,
                             timeout=60, env={**os.environ, **ELSEWHERE, "FERNET_KEY": Fernet.generate_key().decode()})
    assert "webhook_url" in refused.stderr and "rate_webex" not in refused.stderr, refused.stderr
