"""`cockpit doctor` finds each known hazard: one is seeded at a time, and the line that cures it is there."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cockpit.clock import SystemClock
from cockpit.config.settings import Roles
from cockpit.engine.doctor import disks, docker_hosts, files, machine
from cockpit.engine.lock import Lock
from cockpit.model import EngineStatus
from cockpit.paths import Paths
from cockpit.protocol import DOCTOR, Check, CheckState, Nothing
from cockpit.targets.base import Claim, HostInfo
from cockpit.targets.docker import DockerTarget
from tests.engine.rig import SHOP, rig, service, settings
from tests.world import fresh_installation

PASS, WARN, FAIL, UNKNOWN = CheckState.PASS, CheckState.WARN, CheckState.FAIL, CheckState.UNKNOWN
INFO = HostInfo("ID", "shop-1", "20.10.24", True, "amd64", "linux", "1.41", 1000.0, True, "/var/lib/docker")
GIB = 1024**3


def is_found(check: Check, state: CheckState, *words: str) -> None:
    """A hazard has evidence and a cure."""
    assert check.state is state, check
    assert all(word in f"{check.evidence} {check.next}" for word in words), check
    assert check.next or state in (PASS, UNKNOWN), check


# ------------------------------------------------------------ this machine


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "run/systemd/seats").mkdir(parents=True)
    (tmp_path / "etc/systemd/logind.conf.d").mkdir(parents=True)
    return tmp_path


def logind(root: Path, text: str, name: str = "logind.conf") -> Check:
    (root / "etc/systemd" / name).write_text(f"[Login]\n{text}\n")
    return machine.logind(shared=False, root=root, uid=61000)


def test_logind_that_ends_a_users_processes_is_found(root: Path) -> None:
    is_found(logind(root, "KillUserProcesses=yes"), WARN, "ends when uid 61000 logs out", "cockpit engine install")


def test_a_drop_in_of_logind_wins_over_its_file(root: Path) -> None:
    assert logind(root, "KillUserProcesses=no").state is PASS
    assert logind(root, "KillUserProcesses=yes", "logind.conf.d/90-hardening.conf").state is WARN
    assert logind(root, "KillUserProcesses=no", "logind.conf.d/95-ours.conf").state is PASS


def test_what_the_distribution_compiled_into_logind_is_read_from_its_commented_file(root: Path) -> None:
    assert logind(root, "#KillUserProcesses=yes").state is WARN
    assert logind(root, "#KillUserProcesses=no").state is PASS
    assert logind(root, "#KillUserProcesses=yes\nKillUserProcesses=no").state is PASS


def test_whom_logind_spares_and_a_system_service_are_not_in_danger(root: Path) -> None:
    (root / "etc/systemd/logind.conf").write_text("KillUserProcesses=yes\n")
    assert machine.logind(shared=False, root=root, uid=0).state is PASS
    assert machine.logind(shared=True, root=root, uid=61000).state is PASS


def test_lingering_is_told(root: Path) -> None:
    assert "lingering is off" in logind(root, "").evidence
    (root / "var/lib/systemd/linger").mkdir(parents=True)
    (root / "var/lib/systemd/linger/uid 61000").touch()
    assert "lingering is on" in logind(root, "").evidence


def test_a_machine_without_logind_has_nothing_to_fear_from_it(tmp_path: Path) -> None:
    assert machine.logind(shared=False, root=tmp_path, uid=61000).state is PASS


@pytest.mark.parametrize(
    ("version", "state", "words"),
    [
        ((3, 36, 0), FAIL, "too old"),
        ((3, 40, 1), PASS, "WAL-reset race"),
        ((3, 51, 2), PASS, "WAL-reset race"),
        ((3, 51, 3), PASS, "3.51.3, WAL"),
    ],
    ids=str,
)
def test_the_build_of_sqlite_is_judged(version: tuple[int, ...], state: CheckState, words: str) -> None:
    is_found(machine.sqlite(version), state, words)


def test_few_open_files_are_found() -> None:
    is_found(machine.open_files((1024, 1048576)), WARN, "1024", "ulimit -n")
    is_found(machine.open_files((1024, 1024)), WARN, "limits.conf")
    assert machine.open_files((65536, 65536)).state is PASS
    assert machine.open_files((resource.RLIM_INFINITY, resource.RLIM_INFINITY)).state is PASS


def test_a_clock_that_nobody_sets_is_found() -> None:
    is_found(machine.synchronized(lambda: 5), WARN, "not synchronized", "timedatectl set-ntp true")
    assert machine.synchronized(lambda: 0).state is PASS
    assert machine.synchronized(lambda: -1).state is UNKNOWN
    assert machine.synchronized().state in (PASS, WARN)  # this kernel does answer


def test_an_engine_of_one_user_says_what_it_does_not_promise() -> None:
    own = EngineStatus("0.1.0", 1, 0.0, "ok", True, None, "ok", True, "", "")
    is_found(machine.sharing(own), WARN, "who others are is not checked", "cockpit engine install")
    assert machine.sharing(replace(own, group="ops")).state is PASS


def test_a_group_of_the_configuration_that_is_not_there_is_found() -> None:
    wanted = settings((SHOP, service(deployers=("deploy-shop", "61002")))).model_copy(
        update={"roles": Roles(viewer=("support",), admin=("root",))}
    )
    check = machine.groups(wanted, lambda name: name not in ("deploy-shop", "support"))
    is_found(check, WARN, "deploy-shop, support", "groupadd deploy-shop")
    assert machine.groups(settings((SHOP, service(deployers=("61002",))))).state is PASS
    assert machine.groups(settings((SHOP, service(deployers=("deploy-nobody-here",))))).state is WARN


# ------------------------------------------------------------ disks


MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:40 / /var/lib rw - xfs /dev/sdb1 rw
23 22 0:41 / /var/lib/deploy\\040cockpit rw - {kind} server:/export rw
"""


@pytest.mark.parametrize(
    ("kind", "state"),
    [("nfs4", FAIL), ("cifs", FAIL), ("fuse.sshfs", FAIL), ("9p", FAIL), ("tmpfs", WARN), ("ext4", PASS),
     ("fuse.fuse-overlayfs", PASS)],
)  # fmt: skip
def test_a_state_directory_on_a_network_or_in_memory_is_found(tmp_path: Path, kind: str, state: CheckState) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS.format(kind=kind))
    check = disks.file_system(Path("/var/lib/deploy cockpit/state"), tmp_path / "mountinfo")
    is_found(check, state, kind)
    assert disks.file_system(Path("/var/lib/deploy"), tmp_path / "mountinfo").evidence.endswith("xfs")


def test_where_nothing_is_mounted_nothing_is_claimed(tmp_path: Path) -> None:
    assert disks.file_system(tmp_path, tmp_path / "missing").state is UNKNOWN


def measured(space: int, inodes: int, of: int = 1_000_000) -> Callable[[Path], os.statvfs_result]:
    return lambda path: os.statvfs_result((4096, 4096, of, space // 4096, space // 4096, of, inodes, inodes, 0, 255))


@pytest.mark.parametrize(
    ("space", "inodes", "state", "cure"),
    [
        (50 * GIB, 900_000, PASS, ""),
        (1 * GIB, 900_000, WARN, "free space"),
        (10 * 1024**2, 900_000, FAIL, "free space"),
        (50 * GIB, 20_000, WARN, "--inodes"),
        (50 * GIB, 0, FAIL, "--inodes"),
    ],
)
def test_space_and_inodes_run_out_each_by_itself(space: int, inodes: int, state: CheckState, cure: str) -> None:
    is_found(disks.free("disk", Path("/srv"), measured(space, inodes)), state, cure)


def test_a_file_system_that_counts_no_inodes_has_enough_of_them() -> None:
    assert disks.free("disk", Path("/srv"), measured(50 * GIB, 0, of=0)).state is PASS


# ------------------------------------------------------------ files


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "etc/config.yaml", tmp_path / "state", tmp_path / "run/engine.sock")
    for directory in (made.config.parent, made.state, made.socket.parent):
        directory.mkdir(mode=0o700)
    for file in (made.config, made.database, made.socket):
        file.touch(mode=0o600)
    assert Lock(made.lock).take()
    return made


@dataclass(frozen=True)
class Opened:
    what: str
    mode: int
    says: str


@pytest.mark.parametrize(
    "seed",
    [
        Opened("state", 0o750, "chmod go="),
        Opened("database", 0o640, "chmod go="),
        Opened("lock", 0o606, "chmod go="),
        Opened("socket", 0o660, "open to others"),
        Opened("config", 0o602, "chmod o-w"),
    ],
    ids=lambda seed: seed.what,
)
def test_a_file_that_others_can_read_or_change_is_found(paths: Paths, seed: Opened) -> None:
    assert files.modes(paths).state is PASS
    path: Path = getattr(paths, seed.what)
    path.chmod(seed.mode)
    is_found(files.modes(paths), FAIL, str(path), seed.says)


def test_a_configuration_that_anybody_can_replace_is_found(paths: Paths) -> None:
    paths.config.parent.chmod(0o777)
    is_found(files.modes(paths), FAIL, "can replace", f"chmod o-w {paths.config.parent}")


def test_the_socket_of_a_system_engine_is_its_groups_and_no_more(paths: Paths) -> None:
    shared = replace(paths, group="ops")
    paths.socket.parent.chmod(0o750)
    paths.socket.chmod(0o660)
    assert files.modes(shared).state is PASS
    paths.socket.chmod(0o666)
    is_found(files.modes(shared), FAIL, "open to others")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_release_log_of_another_user_is_found(paths: Paths) -> None:
    os.chown(paths.database, 61666, 61666)
    is_found(files.modes(paths), FAIL, "belongs to uid 61666", "chown")


def test_another_process_that_has_the_release_log_open_is_found(paths: Paths) -> None:
    assert files.held(paths).state is PASS
    script = f"import sys; file = open({str(paths.database)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        is_found(files.held(paths), WARN, f"pid {other.pid}", f"kill {other.pid}")
        other.communicate()
    assert files.held(paths).state is PASS


def test_looking_for_other_processes_does_not_drop_the_locks_of_sqlite(paths: Paths) -> None:
    """Opening and closing the file in this process would."""
    mine = sqlite3.connect(paths.database, isolation_level=None)
    mine.execute("CREATE TABLE one (x)")
    mine.execute("BEGIN EXCLUSIVE")
    files.held(paths)
    files.modes(paths)
    script = (
        f"import sqlite3; sqlite3.connect({str(paths.database)!r}, timeout=0).execute('INSERT INTO one VALUES (1)')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    mine.close()
    assert "locked" in done.stderr


def test_a_lock_that_was_replaced_is_found(paths: Paths) -> None:
    paths.lock.unlink()
    paths.lock.write_text("4711\n")
    paths.lock.chmod(stat.S_IRUSR | stat.S_IWUSR)
    is_found(files.held(paths), FAIL, "4711", "cockpit engine stop")


# ------------------------------------------------------------ Docker hosts


def test_a_daemon_whose_restart_stops_containers_is_found() -> None:
    is_found(docker_hosts.live_restore(replace(INFO, live_restore=False)), WARN, "off", "daemon.json")
    assert docker_hosts.live_restore(INFO).state is PASS
    assert docker_hosts.live_restore(replace(INFO, live_restore=None)).state is UNKNOWN


@pytest.mark.parametrize(("api", "state"), [("1.40", FAIL), ("1.41", PASS), ("1.52", PASS), ("", UNKNOWN)])
def test_a_docker_that_is_too_old_is_found(api: str, state: CheckState) -> None:
    is_found(docker_hosts.api(replace(INFO, api=api)), state)


@pytest.mark.parametrize(("now", "state"), [(1000.5, PASS), (1003.0, WARN), (996.0, WARN)])
def test_a_clock_of_a_host_that_is_apart_from_ours_is_found(now: float, state: CheckState) -> None:
    is_found(docker_hosts.offset(INFO, now), state, "behind" if now > 1000 else "ahead")


def test_an_edge_of_half_a_year_ago_is_found() -> None:
    day = 86400.0
    is_found(docker_hosts.edge_age(0.0, 200 * day), WARN, "200 days ago", "cockpit edge upgrade")
    assert docker_hosts.edge_age(0.0, 20 * day).state is PASS
    assert docker_hosts.edge_age(None, 0.0).state is UNKNOWN


def test_builds_without_buildx_are_found() -> None:
    is_found(docker_hosts.buildx("BuildKit (/usr/bin/docker)"), WARN, "without buildx", "docker-buildx-plugin")
    is_found(docker_hosts.buildx(""), WARN, "no docker command", "docker-buildx-plugin")
    assert docker_hosts.buildx("BuildKit (/usr/bin/docker buildx)").state is PASS


def test_a_host_of_another_cockpit_is_named_with_the_way_there_and_the_way_to_take_it_over() -> None:
    other = Claim("bb", "m2", "bastion-2", "tom", "/srv/cockpit", frozenset({SHOP}))
    is_found(docker_hosts.owner(other), WARN, "tom on bastion-2", "ssh tom@bastion-2", "cockpit engine adopt bb")
    assert docker_hosts.owner(None).state is PASS


async def test_a_host_that_cannot_remember_releases_is_found(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        shop.target.forgetful = "no volumes here"
        await shop.shipped("first")
        found = {each.name: each for each in (await shop.call(DOCTOR, Nothing())).checks}
        is_found(found["memory"], WARN, "no volumes here", "docker volume ls")
        assert found["owner"].state is PASS
    assert docker_hosts.memory("").state is PASS


async def test_an_engine_asks_for_all_of_it_and_a_host_that_is_away_is_no_hazard_of_its_own(tmp_path: Path) -> None:
    async with rig(tmp_path) as shop:
        found = {each.name for each in (await shop.call(DOCTOR, Nothing())).checks}
        assert found >= {"live-restore", "Docker's API", "Docker's clock", "edge image", "buildx", "engine", "logout"}
        assert found >= {"SQLite", "open files", "clock", "file system", "disk", "files", "lock", "git", "config"}
        shop.target.down = "connection refused"
        await shop.until(lambda: not shop.host.docker_ok)
        checks = (await shop.call(DOCTOR, Nothing())).checks
        assert "live-restore" not in {each.name for each in checks}
        assert next(each for each in checks if each.name == "docker").state is FAIL


@pytest.mark.docker
async def test_a_real_docker_tells_what_doctor_asks_it() -> None:
    target = DockerTarget("local", fresh_installation(), subnet=None, clock=SystemClock())
    info = await target.ping()
    assert docker_hosts.api(info).state is PASS
    assert docker_hosts.offset(info, SystemClock().now()).state is PASS
    assert info.live_restore in (True, False)
    assert info.root.startswith("/")
    assert await target.edge_image_made() is None
    await target.close()
