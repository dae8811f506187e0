"""The documents say what the programs do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_of_settings_is_what_the_program_prints(build):
    printed = subprocess.run([build / "notifyd", "--help-config=markdown"], capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs/configuration.md").read_text().endswith(printed), \
        "put the output of notifyd --help-config=markdown at the end of docs/configuration.md"


def anchors(page: Path) -> set[str]:
    """The ids that GitHub gives to a page's headings."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(folder: Path, pages: list[Path]) -> list[str]:
    """Links between PAGES that lead out of FOLDER, to no file, or to no heading."""
    wrong = []
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if link.startswith("http"):
                continue
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page.resolve()
            if not target.is_file() or folder.resolve() not in target.parents or (anchor and anchor not in anchors(target)):
                wrong.append(f"{page.relative_to(folder)}: {link}")
    return wrong


def test_every_link_in_the_documents_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    assert broken_links(ROOT, pages) == []


def test_the_pages_are_installed_and_every_link_in_them_leads_somewhere(build, tmp_path):
    subprocess.run(["cmake", "--install", build, "--prefix", "/usr"], check=True, capture_output=True, env={**os.environ, "DESTDIR": str(tmp_path)})
    folder = tmp_path / "usr/share/doc/pencheff-notify"
    pages = sorted(folder.rglob("*.md"))
    assert {"README.md", "CONTRIBUTING.md", "docs/operate.md", "docs/configuration.md", "docs/architecture.md",
            "docs/mcp.md", "docs/shadow.md", "docs/destinations/webhook.md", "docs/destinations/slack.md", "docs/destinations/teams.md",
            "docs/destinations/google_chat.md", "docs/destinations/discord.md", "docs/destinations/pagerduty.md",
            "docs/destinations/opsgenie.md", "docs/destinations/splunk.md", "docs/destinations/github.md", "docs/destinations/jira.md",
            "docs/destinations/adding-one.md"} <= {str(page.relative_to(folder)) for page in pages}
    assert broken_links(folder, pages) == []
    # What pages, unit and sample call by its installed name is there.
    unit = tmp_path / "usr/lib/systemd/system/pencheff-notify.service"
    named = {path for page in [*pages, unit] for path in re.findall(r"/usr/share/[\w./-]*[\w/-]", page.read_text())}
    assert "/usr/share/pencheff-notify/schema/roles.sql" in named and "/usr/share/doc/pencheff-notify/README.md" in named
    assert [path for path in named if not (tmp_path / path[1:]).exists()] == []


def test_the_layout_in_the_architecture_page_is_the_layout():
    text = (ROOT / "docs/architecture.md").read_text()
    named = set(re.findall(r"\| `(\w+)`(?: (?:over|with) `\w+`)* \|", text))
    files = {path.stem for folder in ("worker", "api") for path in (ROOT / folder).rglob("*.c")}
    assert {"intake", "decode", "trip", "job", "gate", "rules"} <= named
    assert named - {"notifyd", "notifyctl", "notify-api"} <= files
