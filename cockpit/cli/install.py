"""`cockpit engine install`: a system engine under its own user, shared by a group. All is shown before it is done."""

from __future__ import annotations

import grp
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

import cockpit as package
from cockpit.cli import units
from cockpit.cli.machinery import engine
from cockpit.cli.output import part, say
from cockpit.cli.session import Consent
from cockpit.errors import CockpitError, Refused, UsageError
from cockpit.paths import SYSTEM_CONFIG, SYSTEM_GROUP, SYSTEM_STATE

DOCKER = Path("/var/run/docker.sock")
HERE = Path("/")


@engine.command()
@click.option("--group", default=SYSTEM_GROUP, show_default=True, metavar="NAME", help="Whose members may connect.")
@click.option(
    "--root", type=click.Path(path_type=Path), default=HERE, help="Of an image that is built; starts nothing."
)
@click.option("--dry-run", is_flag=True, help="Show the files and commands, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def install(group: str, root: Path, dry_run: bool, yes: bool) -> None:
    """Make the engine a system service under its own user, whom a group shares. Shows all of it, and asks."""
    if group.startswith("-") or not group.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise UsageError(f"{group!r} is no name of a group", "letters, digits, - and _")
    root, packages = root.resolve(), Path(package.__file__).parent
    wanted = units.Installation(group, _docker_group(), Path(sys.executable), _checkout(packages))
    written = [units.File(units.below(root, each.path), each.text) for each in units.files(wanted)]
    systemd, configured = Path("/run/systemd/system").is_dir(), SYSTEM_CONFIG.exists()
    commands = units.commands(root, systemd=systemd, configured=configured)
    for file in written:
        say("", part((f"── {file.path}", "strong")), *file.text.rstrip("\n").splitlines())
    say("", part(("── then", "strong")), *map(shlex.join, commands))
    concerns = list(unfit(wanted.program, packages)) if root == HERE else []
    concerns += [] if wanted.docker_group else [f"{DOCKER} is no group's here, so the engine would not reach Docker"]
    say("", *(part((f"▲ {each}", "warn")) for each in concerns))
    if dry_run:
        return
    _require(root, concerns)
    Consent(yes, "").require("Write these files and run these commands?", "", "")
    for file in written:
        _write(file)
    for command in commands:
        _run(command)
    say(*_next(group, configured))


def unfit(program: Path, packages: Path) -> Iterator[str]:
    """Why the service could not run these, or would run what somebody else than root put there."""
    for path in (program.parent.resolve() / program.name, program.resolve(), packages.resolve()):
        if any(path.is_relative_to(home) for home in units.HIDDEN):
            yield f"{path} is in a home, which the service does not see"
            continue
        for each in (path, *path.parents):
            found = each.stat()
            writable = found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and found.st_gid != 0)
            if found.st_uid != 0 or (writable and not found.st_mode & stat.S_ISVTX):
                yield f"{each} can be changed by others than root, and with it what the engine runs"
                break


def _require(root: Path, concerns: list[str]) -> None:
    if concerns:
        raise Refused(
            f"Nothing was written: {concerns[0]}", "Install cockpit for all: pipx install --global, or in /opt"
        )
    if os.geteuid() != 0:
        raise Refused("Only root can install a system service", "sudo cockpit engine install; --dry-run only shows it")
    if root == HERE and SYSTEM_STATE.exists() and SYSTEM_STATE.stat().st_uid == 0:
        cure = (
            f"cockpit engine stop, then chown -R {units.USER}: {SYSTEM_STATE} once that user is there, or move it away"
        )
        raise Refused(f"{SYSTEM_STATE} has the state of root's own engine", cure)


def _write(file: units.File) -> None:
    """Whole or not at all."""
    beside = file.path.with_name(f".{file.path.name}.new")
    try:
        file.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        beside.write_text(file.text, encoding="utf-8")
        beside.chmod(0o644)
        beside.replace(file.path)
    except OSError as error:
        raise CockpitError(f"{file.path} cannot be written: {error.strerror}") from None


def _run(command: tuple[str, ...]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CockpitError(
            f"{command[0]} is not here", "The files are written; systemd reads them at the next boot"
        ) from None
    if done.returncode:
        raise CockpitError(
            f"{shlex.join(command)} failed: {done.stderr.strip()}", "The files are written; run the rest"
        )


def _next(group: str, configured: bool) -> list[str]:
    start = "The engine runs" if configured else f"Write {SYSTEM_CONFIG}, then: systemctl start {units.UNIT.name}"
    return [start, f"Give people access: usermod -aG {group} NAME; they log in again", "Roles: docs/sharing.md"]


def _docker_group() -> str:
    """ "" also for root's: the engine is not given that one."""
    try:
        gid = DOCKER.stat().st_gid
        return grp.getgrgid(gid).gr_name if gid else ""
    except (OSError, KeyError):
        return ""


def _checkout(packages: Path) -> Path | None:
    above = packages.parent
    return None if above.name in ("site-packages", "dist-packages") else above
