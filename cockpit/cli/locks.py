"""Verbs that keep others, and oneself, from deploying for a while. A rollback always goes through."""

from __future__ import annotations

from typing import Any

import click

from cockpit.cli import names
from cockpit.cli.output import document, part, say
from cockpit.cli.root import cockpit, json_option, placement_arguments
from cockpit.cli.session import Session
from cockpit.protocol import (
    FREEZE,
    LOCK,
    UNFREEZE,
    UNLOCK,
    FreezeRequest,
    LockRequest,
    UnfreezeRequest,
    UnlockRequest,
)

reason_option = click.option("--reason", required=True, help="Why, for whoever is refused and for the record.")
for_option = click.option(
    "--for", "length", default="4h", show_default=True, metavar="TIME", help="How long: 90m, 4h, 2d. At most 14d."
)


@cockpit.command()
@placement_arguments
@reason_option
@for_option
@json_option
@click.pass_obj
def lock(session: Session, service: str, environment: str | None, reason: str, length: str, as_json: bool) -> None:
    """No deploy and no restart of a service for a while."""
    request = LockRequest(session.placement(service, environment), reason, names.seconds(length))
    _said(session.ask(LOCK, request), as_json)


@cockpit.command()
@placement_arguments
@reason_option
@json_option
@click.pass_obj
def unlock(session: Session, service: str, environment: str | None, reason: str, as_json: bool) -> None:
    """Lift the lock of a service, also one that somebody else has set."""
    _said(session.ask(UNLOCK, UnlockRequest(session.placement(service, environment), reason)), as_json)


@cockpit.command()
@reason_option
@for_option
@json_option
@click.pass_obj
def freeze(session: Session, reason: str, length: str, as_json: bool) -> None:
    """No deploy and no restart of anything for a while."""
    _said(session.ask(FREEZE, FreezeRequest(reason, names.seconds(length))), as_json)


@cockpit.command()
@reason_option
@json_option
@click.pass_obj
def unfreeze(session: Session, reason: str, as_json: bool) -> None:
    """Lift the freeze. Locks of single services stay."""
    _said(session.ask(UNFREEZE, UnfreezeRequest(reason)), as_json)


def _said(done: Any, as_json: bool) -> None:
    document(done) if as_json else say(part(done.note))
