"""The documents say what the programs do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_of_settings_is_what_the_program_prints(build):
    printed = subprocess.run([build / "notifyd", "--help-config=markdown"], capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs/configuration.md").read_text().endswith(printed), \
        "put the output of notifyd --help-config=markdown at the end of docs/configuration.md"


def test_every_link_in_the_documents_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    missing = [f"{page.relative_to(ROOT)}: {link}" for page in pages
               for link in re.findall(r"\]\(([^)#]+)", page.read_text())
               if not link.startswith("http") and not (page.parent / link).exists()]
    assert not missing


def test_the_layout_in_the_architecture_page_is_the_layout():
    text = (ROOT / "docs/architecture.md").read_text()
    named = set(re.findall(r"\| `(\w+)`(?: (?:over|with) `\w+`)? \|", text))
    files = {path.stem for path in (ROOT / "worker").glob("*.c")}
    assert {"intake", "decode", "trip", "job", "gate", "rules"} <= named
    assert named - {"notifyd", "notifyctl"} <= files
