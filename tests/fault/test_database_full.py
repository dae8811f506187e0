"""A database whose disk is full: what was confirmed arrives when there is room again."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Iterator

import psycopg2
import pytest
from load import Load
from sandbox.postgres import PostgresServer
from sandbox.processes import wait_until

pytestmark = pytest.mark.xdist_group("full disk")  # both on one server

MEGABYTES = 128


class SmallDisk:
    """A file system of its own, to be filled; in /tmp, where PostgreSQL's account may pass."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="notify-small-disk-", dir="/tmp"))
        self._filler = self.folder / "filler"
        self._ended = threading.Event()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=0711", "tmpfs", self.folder], check=True)

    def fill(self) -> None:
        """Now, and whenever the server gives something back, until make_room."""
        self._fill_up()
        self._ended.clear()
        self._thread = threading.Thread(target=self._keep_full, name="filler", daemon=True)
        self._thread.start()

    def make_room(self) -> None:
        self._ended.set()
        self._thread.join()
        self._filler.unlink()

    def _keep_full(self) -> None:
        while not self._ended.wait(0.02):
            self._fill_up()

    def _fill_up(self) -> None:
        with open(self._filler, "ab", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)
        self.folder.rmdir()


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk]:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        pytest.skip("to mount a small disk takes the right to mount")
    made = SmallDisk()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def postgres(disk: SmallDisk, server_folder: Path) -> Iterator[PostgresServer]:
    # No segment of the log is used again: how much of it can be written without room would be a matter of luck.
    server = PostgresServer(disk.folder / "server", settings={"wal_keep_size": "1GB", "wal_recycle": "off"})
    assert disk.folder in server.data.parents
    server.log = server_folder / "small-disk.log"  # on another disk, or it could not say why it died
    try:
        yield server.start()
    finally:
        server.remove()


def begin_segment(postgres: PostgresServer) -> None:
    """From here on the log has room for 16 MiB; without a record in it a segment would not be left, and not be made."""
    postgres.query("SELECT pg_switch_wal()")
    postgres.query("SELECT pg_logical_emit_message(true, 'test', '')")


def test_the_disk_is_full_under_load_and_then_no_longer(stage, notifyd, postgres, disk):
    """The log has room ahead, the tables have none: each commit that needs a new page fails."""
    load = Load(stage, notifyd, 4)
    pid = postgres.pid
    begin_segment(postgres)
    disk.fill()
    try:
        load.one.wait_event("batch_again", batch="ledger", sqlstate="53100", count=2)
        time.sleep(1.5)
    finally:
        disk.make_room()
    assert load.end("disk full") == 0
    assert (postgres.pid, postgres.running) == (pid, True)
    assert not load.one.events("database_link_down"), "an error is no reason to connect anew"


def test_the_server_dies_of_a_full_disk_under_load_and_is_started_again_when_there_is_room(stage, notifyd, postgres, disk):
    load = Load(stage, notifyd, 3)

    def gone() -> bool:
        try:
            begin_segment(postgres)
            return False
        except psycopg2.Error:
            return True

    disk.fill()
    try:
        wait_until(gone, 20, "there is no room for another segment of the log", every=0.2)
        load.one.wait_event("database_link_down", count=2)
        assert "PANIC:  could not write" in postgres.log.read_text()
    finally:
        disk.make_room()
        postgres.kill()
    time.sleep(0.5)
    postgres.start()
    assert load.end("server dead of a full disk") == 0
