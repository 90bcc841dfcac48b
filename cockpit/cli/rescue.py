"""Verbs for what an engine left behind: one that died in the middle, or another bastion's that hangs."""

from __future__ import annotations

import click

from cockpit.cli import render
from cockpit.cli.follow import exit_status
from cockpit.cli.output import document, say
from cockpit.cli.root import cockpit, json_option
from cockpit.cli.session import Session
from cockpit.protocol import RECOVER, TAKEOVER, OperationRequest, TakeoverRequest


@cockpit.command()
@click.argument("operation", type=int)
@json_option
@click.pass_obj
def recover(session: Session, operation: int, as_json: bool) -> int:
    """Try once more to end an operation that is stuck, when its cause is gone."""
    ended = session.ask(RECOVER, OperationRequest(operation))
    document(ended) if as_json else say(*render.ending(ended))
    return exit_status(ended)


@cockpit.command()
@click.argument("service")
@click.argument("environment")
@click.argument("lock")
@click.option("--reason", required=True, help="Why its holder must not go on; for the record.")
@json_option
@click.pass_obj
def takeover(session: Session, service: str, environment: str, lock: str, reason: str, as_json: bool) -> None:
    """Take a service over from another bastion that is at it and hangs.

    LOCK is the id that the refusal names: typed, because its holder lives. It can change nothing from then on."""
    done = session.ask(TAKEOVER, TakeoverRequest(session.placement(service, environment), lock, reason))
    document(done) if as_json else say(done.note)
