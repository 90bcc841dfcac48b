"""A backup is whole or not there, private, and goes back only where it belongs; what the log missed the hosts add."""

from __future__ import annotations

import asyncio
import io
import shutil
import sqlite3
import stat
import tarfile
from pathlib import Path

import pytest

from cockpit.engine import backup
from cockpit.engine.lock import Lock
from cockpit.errors import CockpitError, Refused, StoreError, UsageError
from cockpit.store.database import Database
from cockpit.store.log import ReleaseLog
from cockpit.store.opening import open_file
from tests.engine.rig import SHOP, Rig, rig


def state(directory: Path) -> Path:
    """A state directory as an engine leaves it."""
    directory.mkdir()
    (directory / "logs").mkdir()
    for name, text in (("installation", "aa\n"), ("secret.key", "k" * 32), ("logs/1.log", "built")):
        (directory / name).write_text(text)
    open_file(directory / "releases.db").db.close()
    return directory


def test_what_was_backed_up_comes_back_with_modes_that_keep_it_private(tmp_path: Path) -> None:
    source, file, other = state(tmp_path / "state"), tmp_path / "kept.tar", tmp_path / "other"
    assert backup.backup(source, file) == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert backup.restore(other, file) == "aa"
    for name in ("installation", "secret.key", "logs/1.log"):
        assert (other / name).read_bytes() == (source / name).read_bytes()
        assert stat.S_IMODE((other / name).stat().st_mode) == 0o600
    assert not list(tmp_path.rglob(".*")), "nothing is left beside them"


async def test_an_engine_goes_on_writing_meanwhile_and_the_copy_is_whole(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await _named(shop)
        await shop.shipped("first")
        file = tmp_path / "kept.tar"
        await asyncio.to_thread(backup.backup, shop.paths.state, file)
        await shop.shipped("second")
        other = tmp_path / "other"
        await asyncio.to_thread(backup.restore, other, file)
        log = ReleaseLog(await Database.open(other / "releases.db"), shop.clock)
        assert [each.number for each in await log.releases(SHOP)] == [1]
        await log.close()


async def test_after_a_restore_the_hosts_add_what_the_backup_missed(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        await _named(shop)
        await shop.shipped("first")
        await asyncio.to_thread(backup.backup, shop.paths.state, tmp_path / "kept.tar")
        await shop.shipped("second")
        await shop.until(lambda: len(shop.target.records) == 2)
        await _destroyed(shop)
        await asyncio.to_thread(backup.restore, shop.paths.state, tmp_path / "kept.tar")
        await shop.up()
        assert await shop.live() == shop.customers_on() == 2
        assert (await shop.shipped("third")).to_release == 3


async def _destroyed(shop: Rig) -> None:
    await shop.down()
    await asyncio.to_thread(shutil.rmtree, shop.paths.state)


async def _named(shop: Rig) -> None:
    await asyncio.to_thread((shop.paths.state / "installation").write_text, "test\n")


def test_nothing_is_restored_under_a_running_engine(tmp_path: Path) -> None:
    source, file = state(tmp_path / "state"), tmp_path / "kept.tar"
    backup.backup(source, file)
    lock = Lock(source / "engine.lock")
    assert lock.take()
    before = (source / "releases.db").read_bytes()
    with pytest.raises(Refused, match="an engine runs"):
        backup.restore(source, file)
    lock.release()
    assert (source / "releases.db").read_bytes() == before
    assert backup.restore(source, file) == "aa"
    assert list(source.glob("releases.db.before-*")), "the log that was there is kept"


def test_another_installations_directory_is_left_alone(tmp_path: Path) -> None:
    source, other, file = state(tmp_path / "state"), state(tmp_path / "other"), tmp_path / "kept.tar"
    (other / "installation").write_text("bb\n")
    backup.backup(source, file)
    with pytest.raises(Refused, match="is the installation bb, the backup is of aa"):
        backup.restore(other, file)
    assert not list(other.glob("releases.db.before-*"))


def test_a_backup_of_a_newer_cockpit_is_refused(tmp_path: Path) -> None:
    source, file = state(tmp_path / "state"), tmp_path / "kept.tar"
    with sqlite3.connect(source / "releases.db") as db:
        db.execute("PRAGMA user_version = 99")
    backup.backup(source, file)
    with pytest.raises(StoreError, match="a newer cockpit"):
        backup.restore(tmp_path / "other", file)
    assert not (tmp_path / "other" / "installation").exists()


@pytest.mark.parametrize("name", ["../out", "/etc/out", "hosts/../../out", "config.yaml", "logs/../x", "engine.lock"])
def test_a_file_that_would_reach_anywhere_else_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "evil.tar"
    with tarfile.open(file, "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(StoreError, match="is no backup"):
        backup.restore(tmp_path / "other", file)


def test_a_link_in_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "evil.tar"
    with tarfile.open(file, "w") as archive:
        member = tarfile.TarInfo("secret.key")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(StoreError, match="is no backup"):
        backup.restore(tmp_path / "other", file)


@pytest.mark.parametrize("cut", [0, 700, 20_000])
def test_a_file_that_was_cut_changes_nothing(tmp_path: Path, cut: int) -> None:
    source, file = state(tmp_path / "state"), tmp_path / "kept.tar"
    backup.backup(source, file)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(StoreError):
        backup.restore(tmp_path / "other", file)
    assert not list((tmp_path / "other").glob("*.db"))


def test_a_directory_without_a_cockpit_is_not_backed_up(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no cockpit's state directory"):
        backup.backup(tmp_path, tmp_path / "kept.tar")
    with pytest.raises(CockpitError, match="nothing can be written"):
        backup.backup(state(tmp_path / "state"), tmp_path / "nowhere" / "kept.tar")
