"""Verbs that go into, or look beside, a running release: its probe address, a command in it, other containers."""

from __future__ import annotations

import shlex
import sys

import click

from cockpit.cli import around, names
from cockpit.cli.output import document, say, tell
from cockpit.cli.root import cockpit, json_option, placement_arguments
from cockpit.cli.session import Session
from cockpit.errors import CockpitError
from cockpit.protocol import EXEC, EXEC_ENDED, OPEN, OTHERS, ExecEnded, ExecRequest, Nothing, OpenRequest


class WithCommand(click.Command):
    """What stands behind `--` is a command of somebody else's, and nothing in it is ours to read."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta["command"] = tuple(args[at + 1 :])
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND…]"]


@cockpit.command("open")
@placement_arguments
@click.option("--release", help="This one instead of the newest that runs: r43.")
@json_option
@click.pass_obj
def open_(session: Session, service: str, environment: str | None, release: str | None, as_json: bool) -> None:
    """Where a release answers before customers are on it. Changes nothing."""
    placements = {each.key: each for each in session.snapshot().placements}
    key = names.placement(service, environment, list(placements))
    found = session.ask(OPEN, OpenRequest(key, names.release(release) if release else None))
    document(found) if as_json else say(*around.address(found, placements[key].host))


@cockpit.command("exec", cls=WithCommand)
@placement_arguments
@click.option("--one-off", is_flag=True, help="In a new container of the live release, removed afterwards.")
@click.option("--process", default="", metavar="NAME", help="Of this process instead of the main one.")
@click.pass_context
def exec_(context: click.Context, service: str, environment: str | None, one_off: bool, process: str) -> int:
    """A shell in the live release, or the command after --. Recorded; its exit status is ours."""
    from cockpit import foreground

    session: Session = context.obj
    command: tuple[str, ...] = context.meta["command"]
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    key = session.placement(service, environment)
    ticket = session.ask(EXEC, ExecRequest(key, command, process, one_off, tty))
    status = foreground.NOT_RUN
    try:
        if why := foreground.out_of_reach(ticket.environment):
            options = ["--one-off"] * one_off + ["--process", process] * bool(process)
            line = ["sudo", "cockpit", "exec", str(key), *options, *(["--", *command] if command else [])]
            raise CockpitError(
                f"exec runs docker on this terminal, and you may not use Docker's socket: {why}",
                f"{shlex.join(line)}, or ask who may do that; all other verbs need only the engine: docs/sharing.md",
            )
        status = foreground.run(ticket.argv, ticket.environment)
    finally:
        _ended(session, ExecEnded(ticket.id, status))
    if status == foreground.NOT_FOUND and not foreground.is_there(ticket.argv[0]):
        raise CockpitError(f"There is no {ticket.argv[0]} command on this machine", "Install Docker's command line")
    return status


@cockpit.command()
@json_option
@click.pass_obj
def containers(session: Session, as_json: bool) -> int:
    """Containers of the hosts that are not the cockpit's: looked at, never touched. 1 when a host did not answer."""
    found = session.ask(OTHERS, Nothing())
    document(found) if as_json else say(*around.others(found))
    return 1 if found.unreachable else 0


def _ended(session: Session, ended: ExecEnded) -> None:
    """The command is over, whatever becomes of the record."""
    try:
        session.ask(EXEC_ENDED, ended)
    except CockpitError as error:
        tell(f"Its end is not recorded: {error.message}", error.hint)
