"""Verbs about the cockpit itself: its engine, its configuration, its demo."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cockpit.cli import around, render
from cockpit.cli.output import document, part, say, words
from cockpit.cli.root import Verbs, cockpit, json_option
from cockpit.cli.session import Consent, Session
from cockpit.client import Client
from cockpit.errors import CockpitError, EngineUnreachable
from cockpit.paths import Paths, system
from cockpit.protocol import EDGE_UPGRADE, STATUS, EdgeUpgradeRequest, Nothing


@cockpit.group(cls=Verbs)
def engine() -> None:
    """The process that does the work. Clients start it when it is not there."""


@engine.command()
@click.pass_obj
def start(session: Session) -> None:
    """Start it in the background; nothing when it runs."""

    async def pid(client: Client) -> int:
        return client.welcome.pid if client.welcome else 0

    say(f"The engine runs, pid {session.run(pid)}, state in {session.paths.state}")


@engine.command()
@click.pass_obj
def stop(session: Session) -> None:
    """Stop it. Refused while an operation runs; open cockpits start it again."""
    try:
        pid = session.run(lambda client: client.stop_engine(), start=False)
    except EngineUnreachable as error:
        if not error.message.startswith("No engine runs"):
            raise
        say(error.message)
    else:
        say(f"Stopped the engine, pid {pid}")


@engine.command("status")
@json_option
@click.pass_obj
def engine_status(session: Session, as_json: bool) -> None:
    """Which engine runs; exit status 4 when none does. Starts nothing."""
    found = session.run(lambda client: client.call(STATUS, Nothing()), start=False).engine
    if as_json:
        document(found)
        return
    say(f"cockpit {found.version}, pid {found.pid}, config {found.config_path}, state {found.state_path}")
    say(*around.engine(found))
    other = None if session.paths.group else system()
    if other and other.socket.parent != session.paths.socket.parent:
        say(part(f"There is a system engine too, for group {other.group}: {why_not(other)}"))


def why_not(other: Paths) -> str:
    """This one was used instead of it."""
    if os.access(other.socket.parent, os.X_OK):
        return "--config, --state or their variables chose this one"
    return "you are not in it, or logged in before you were"


@engine.command("run")
@click.pass_obj
def engine_run(session: Session) -> None:
    """Run it here, in the foreground, as a service manager wants it. Ends on SIGTERM."""
    from cockpit import launch

    where = launch.arguments(session.paths)
    os.execve(sys.executable, [*launch.ENGINE, *where], launch.environment())


@cockpit.group(cls=Verbs)
def edge() -> None:
    """The proxy that customers reach. Engine upgrades leave it alone."""


@edge.command()
@click.argument("host", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def upgrade(session: Session, host: str | None, yes: bool, as_json: bool) -> None:
    """A new edge container as the configuration wants it. Says what is outdated and what customers notice, and asks."""
    seen = session.ask(EDGE_UPGRADE, EdgeUpgradeRequest(host or ""))
    if not seen.outdated:
        document(seen) if as_json else say(f"The edge on {part(seen.host)} is as the configuration says")
        return
    if not as_json:
        say(*around.edge_upgrade(seen))
    Consent(yes, "").require(f"Upgrade the edge on {seen.host}?", "", "")
    done = session.ask(EDGE_UPGRADE, EdgeUpgradeRequest(seen.host, confirmed=True))
    if not done.done:
        raise CockpitError(f"The edge on {done.host} was not upgraded: {done.outdated}", "cockpit doctor")
    document(done) if as_json else say(words(("✔", "good"), f"The edge on {done.host} is new"))


@cockpit.group(cls=Verbs)
def config() -> None:
    """The configuration file."""


@config.command()
@json_option
@click.pass_obj
def check(session: Session, as_json: bool) -> None:
    """Read it as the engine would, and say what is wrong. Starts nothing."""
    from cockpit.config.load import load

    path = session.paths.config
    placements = load(path).placements
    if as_json:
        document({"path": str(path), "placements": [each.key for each in placements]})
    else:
        many = render.count(len({each.key.service for each in placements}), "service")
        say(f"✔ {path}: {many}", *(f"  {each.key}" for each in placements))


@config.command()
def schema() -> None:
    """JSON Schema of the file, for editors."""
    import json

    from cockpit.config.schema import schema as json_schema

    say(json.dumps(json_schema(), indent=2))


@config.command()
def example() -> None:
    """A complete file with every key explained, to start from."""
    package = Path(__file__).parent.parent
    for place in (package / "config.example.yaml", package.parent / "config.example.yaml"):
        if place.exists():
            say(place.read_text(encoding="utf-8").rstrip("\n"))
            return
    raise CockpitError("This installation lacks config.example.yaml", "Install cockpit again")


@cockpit.command()
@click.option("--clean", is_flag=True, help="Remove everything that a demo made, and nothing else.")
@click.option("--script", is_flag=True, help="Play it without a terminal; exit status 0 if all went as told.")
def demo(clean: bool, script: bool) -> int:
    """A throw-away world to try everything in."""
    from cockpit.demo.main import run

    return run(clean=clean, script=script)
