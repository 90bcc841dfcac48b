"""Verbs that keep or regain what only the state directory knows. They work without an engine, as its own user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from cockpit.cli.machinery import engine
from cockpit.cli.root import cockpit
from cockpit.cli.session import Consent, Session

FILE = click.argument("file", type=click.Path(path_type=Path))


@cockpit.command()
@FILE
@click.pass_obj
def backup(session: Session, file: Path) -> None:
    """Write the release log, the installation's name and its key into FILE. An engine may run meanwhile."""
    _do(session, "backup", file)


@cockpit.command()
@FILE
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def restore(session: Session, file: Path, yes: bool) -> None:
    """Bring back what a backup has. Refused while an engine runs; the log that is there is kept beside."""
    Consent(yes, "").require(f"Restore {file} into {session.paths.state}?", "", "")
    _do(session, "restore", file)


@engine.command()
@click.argument("installation", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def adopt(session: Session, installation: str | None, yes: bool) -> int:
    """Become the INSTALLATION whose state is lost, with its releases; without a name, say which ones the hosts have.

    Refused while an engine runs, and in a directory that serves something itself."""
    from cockpit import launch

    program = [sys.executable, "-m", "cockpit.engine.adoption"]
    where = (*launch.arguments(session.paths), "--installation", installation or "")
    looked = subprocess.run([*program, "look", *where], env=launch.environment(), check=False)
    if looked.returncode or not installation:
        return looked.returncode
    Consent(yes, "").require(f"Make {session.paths.state} this installation?", "", "")
    return subprocess.run([*program, "adopt", *where], env=launch.environment(), check=False).returncode


def _do(session: Session, verb: str, file: Path) -> None:
    from cockpit import launch

    where = ("--state", str(session.paths.state), "--file", str(file.absolute()))
    line = [sys.executable, "-m", "cockpit.engine.backup", verb, *where]
    os.execve(sys.executable, line, launch.environment())
