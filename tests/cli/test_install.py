"""`cockpit engine install`: what it writes is shown first, holds up to systemd's own check, and gives nothing away."""

from __future__ import annotations

import configparser
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from cockpit.cli import install, units
from cockpit.errors import Refused
from tests.cli.conftest import Cli
from tests.several_users import needs_root

WANTED = units.Installation("ops", "docker", Path("/opt/cockpit/bin/python"))
needs_systemd = pytest.mark.skipif(
    not all(map(shutil.which, ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles", "systemctl"))),
    reason="systemd's own tools are not here",
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The root of a system that is being built."""
    (tmp_path / "image/etc").mkdir(parents=True)
    return tmp_path / "image"


def unit(text: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    parser.read_string(text)
    return parser["Service"]


def test_docker_is_for_the_engines_user_alone_and_the_socket_for_the_group() -> None:
    users, places, service = units.files(WANTED)
    assert unit(service.text)["SupplementaryGroups"] == "ops docker"
    assert "docker" not in users.text
    assert "d /run/deploy-cockpit 0750 deploy-cockpit ops -" in places.text
    assert "d /var/lib/deploy-cockpit 0700 deploy-cockpit deploy-cockpit -" in places.text
    assert unit(service.text)["ExecStart"].endswith("--socket /run/deploy-cockpit/engine.sock --group ops")


def test_the_service_comes_back_by_itself_and_gets_the_time_to_end_well() -> None:
    service = unit(units.files(WANTED)[2].text)
    assert (service["Restart"], service["KillMode"], service["LimitNOFILE"]) == ("always", "mixed", "65536")
    assert int(service["TimeoutStopSec"]) > 30


def test_nothing_hides_from_the_engine_who_connects() -> None:
    service = unit(units.files(WANTED)[2].text)
    assert {"PrivateUsers", "ProtectProc", "PrivateNetwork"}.isdisjoint(service)
    assert service["NoNewPrivileges"] == "yes"


def test_without_a_group_of_dockers_none_is_asked_for() -> None:
    service = unit(units.files(units.Installation("ops", "", WANTED.program))[2].text)
    assert service["SupplementaryGroups"] == "ops"


def test_a_dry_run_shows_every_file_and_command_and_does_nothing(cli: Cli, image: Path) -> None:
    shown = cli("engine", "install", "--root", str(image), "--group", "ops", "--dry-run")
    assert shown.returncode == 0
    for each in (units.UNIT, units.USERS, units.PLACES):
        assert f"── {image}{each}" in shown.stdout
    assert f"systemd-sysusers --root={image}" in shown.stdout
    assert [each for each in image.rglob("*") if each.is_file()] == []


def test_nothing_is_written_unless_somebody_says_yes(cli: Cli, image: Path) -> None:
    asked = cli("engine", "install", "--root", str(image))
    assert asked.returncode in (2, 3)
    assert [each for each in image.rglob("*") if each.is_file()] == []


@needs_root
@needs_systemd
def test_what_was_written_makes_the_user_the_group_and_the_directories(cli: Cli, image: Path) -> None:
    here = Path("/etc/passwd").read_bytes()
    done = cli("engine", "install", "--root", str(image), "--group", "ops", "--yes")
    assert done.returncode == 0, done.stderr
    passwd = dict(line.split(":", 1) for line in (image / "etc/passwd").read_text().splitlines())
    group = {name: int(number) for name, _, number, _ in
             (line.split(":") for line in (image / "etc/group").read_text().splitlines())}  # fmt: skip
    uid = int(passwd["deploy-cockpit"].split(":")[1])
    run, state = (image / "run/deploy-cockpit").stat(), (image / "var/lib/deploy-cockpit").stat()
    assert (run.st_uid, run.st_gid, stat.S_IMODE(run.st_mode)) == (uid, group["ops"], 0o750)
    assert (state.st_uid, stat.S_IMODE(state.st_mode)) == (uid, 0o700)
    assert (image / "etc/systemd/system/multi-user.target.wants/deploy-cockpit.service").is_symlink()
    written = {each: f"{image}{each}" for each in (units.UNIT, units.USERS, units.PLACES)}
    assert all(Path(path).read_text().strip() in done.stdout for path in written.values())
    assert Path("/etc/passwd").read_bytes() == here


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = Path(shutil.which("python3") or "/usr/bin/python3")
    written = tmp_path / units.UNIT.name
    written.write_text(units.files(units.Installation("ops", "docker", program))[2].text)
    done = subprocess.run(["systemd-analyze", "verify", str(written)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if units.UNIT.name in line]) == (0, [])


def test_only_root_installs_it(cli: Cli, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refused, match="Only root"):
        install._require(image, [])


def test_a_program_that_others_can_change_or_that_lies_in_a_home_is_not_run_as_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "HIDDEN", (tmp_path / "homes",))
    tmp_path.chmod(0o777)
    program = tmp_path / "python"
    program.touch()
    assert any("can be changed by others" in each for each in install.unfit(program, Path("/usr")))
    assert any("is in a home" in each for each in install.unfit(tmp_path / "homes" / "python", Path("/usr")))
    assert list(install.unfit(Path("/usr/bin/env"), Path("/usr/lib"))) == []


def test_a_group_that_would_be_an_option_or_a_second_line_is_refused(cli: Cli, image: Path) -> None:
    for name in ("-x", "ops\nu root", "a b", ""):
        assert cli("engine", "install", "--root", str(image), "--dry-run", "--group", name).returncode == 2
