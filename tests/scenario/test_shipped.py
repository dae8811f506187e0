"""The sample configuration and the unit file, as a package would install them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from authority import Authority

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "deploy" / "notify.conf.sample"
UNITS = {name: ROOT / "deploy" / "systemd" / f"{name}.service" for name in ("pencheff-notify", "pencheff-notify-api")}
PROGRAMS = {"pencheff-notify": "notifyd", "pencheff-notify-api": "notify-api"}
PLAIN = {"PATH": "/usr/bin:/bin"}


def check(build: Path, conf: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([build / "notifyd", "-t", "-c", conf], capture_output=True, text=True, timeout=30,
                          env={**PLAIN, **environment})


def test_the_sample_configuration_is_good_once_the_key_is_there(build: Path, tmp_path: Path, fernet_key: str) -> None:
    assert check(build, SAMPLE, FERNET_KEY=fernet_key).returncode == 0
    key = tmp_path / "fernet.key"
    key.write_text(f"{fernet_key}\n")
    conf = tmp_path / "notify.conf"
    conf.write_text(SAMPLE.read_text().replace("/etc/pencheff-notify/fernet.key", str(key)))
    assert check(build, conf).returncode == 0
    key.unlink()
    missing = check(build, conf)
    assert missing.returncode == 78 and len(missing.stderr.splitlines()) == 1 and "fernet_keys_file" in missing.stderr, missing


def test_what_the_sample_shows_are_the_defaults_and_its_remarks_are_settings(build: Path, tmp_path: Path, fernet_key: str) -> None:
    defaults = {}
    text = subprocess.run([build / "notifyd", "--help-config"], capture_output=True, text=True, check=True).stdout
    for name, default in re.findall(r"^([a-z_.]+)\n    .*default (.+)$", text, re.MULTILINE):
        defaults[name] = default
    shown = settings_of(SAMPLE.read_text())
    assert len(shown) > 20 and "delivery.allow_http" in shown
    for name, value in shown.items():
        if name in ("broker.url", "database.url", "secrets.fernet_keys_file"):
            continue  # they have none
        right = defaults.get(name)
        if value == "[]":
            assert right is None, name
        else:
            assert right is not None and value.removesuffix(".0") == right.removesuffix(".0"), (name, value, right)
    # What stands behind a # is a setting too, and its value is accepted.
    everything = re.sub(r"^(\s*)# (\w+ = [^#\n]*;)", r"\1\2", SAMPLE.read_text(), flags=re.MULTILINE)
    assert everything.count("\n") == SAMPLE.read_text().count("\n") and everything != SAMPLE.read_text()
    conf = tmp_path / "notify.conf"
    authorities = tmp_path / "our-own.pem"
    authorities.write_text("")
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.files("notifyd")
    for there, here in (("/etc/ssl/certs/our-own.pem", authorities), ("/etc/pencheff-notify/broker-ca.pem", authority.file),
                        ("/etc/pencheff-notify/notifyd.pem", certificate), ("/etc/pencheff-notify/notifyd.key", key),
                        ('"amqp://guest', '"amqps://guest')):
        assert there in everything
        everything = everything.replace(there, str(here))
    conf.write_text(everything)
    done = check(build, conf, FERNET_KEY=fernet_key)
    assert done.returncode == 0, done.stderr


def settings_of(text: str) -> dict[str, str]:
    """`group.name` → value as it is written; the sample's groups are one level deep."""
    found, group = {}, ""
    for line in text.splitlines():
        code = re.sub(r"#(?=([^\"]*\"[^\"]*\")*[^\"]*$).*", "", line)
        if re.match(r"\w+ = \{", code):
            group = code.split()[0] + "."
            code = code.split("{", 1)[1]
        for name, value in re.findall(r"(\w+) = ([^;{}]+);", code):
            found[group + name] = value.strip()
        if "};" in code:
            group = ""
    return found


def test_the_unit_of_the_workers_reloads() -> None:
    assert re.search(r"^ExecReload=/bin/kill -HUP \$MAINPID$", UNITS["pencheff-notify"].read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_drains_and_is_not_restarted_on_a_bad_configuration(name: str) -> None:
    text = UNITS[name].read_text()
    # The supervisor's workers must outlive it, should it end first: "mixed" kills what is left of a unit whose main process is gone.
    own = ("Type=notify", "KillMode=control-group") if name == "pencheff-notify" else ("Type=exec", "KillMode=mixed")
    for line in (*own, "TimeoutStopSec=45", "RestartPreventExitStatus=78", "User=pencheff-notify",
                 "NoNewPrivileges=yes", "ProtectSystem=strict"):
        assert re.search(f"^{re.escape(line)}$", text, re.MULTILINE), line


def test_both_units_are_shut_in_alike() -> None:
    walls = [text[text.index("NoNewPrivileges=yes"):] for text in (unit.read_text() for unit in UNITS.values())]
    assert walls[0] == walls[1]


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_understands_the_unit_and_finds_it_safe(build: Path, tmp_path: Path, name: str) -> None:
    program = PROGRAMS[name]
    unit = tmp_path / UNITS[name].name
    unit.write_text(UNITS[name].read_text().replace(f"ExecStart={program}", f"ExecStart={build / program}"))
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    about_us = [line for line in verified.stderr.splitlines() if unit.name in line]
    assert verified.returncode == 0 and not about_us, verified.stderr
    rated = subprocess.run(["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True)
    score = re.search(r"Overall exposure level for \S+: ([\d.]+)", rated.stdout)
    assert score and float(score[1]) < 2.0, rated.stdout + rated.stderr
