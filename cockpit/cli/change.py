"""Verbs that change what customers get. Each shows what it would do, asks, and follows it to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cockpit.cli import names, render
from cockpit.cli.follow import exit_status, follow
from cockpit.cli.main import DETACHED
from cockpit.cli.output import document, say, tell
from cockpit.cli.root import cockpit, json_option, placement_arguments
from cockpit.cli.session import Consent, Session
from cockpit.errors import Refused, UsageError
from cockpit.model import Operation
from cockpit.protocol import (
    CANCEL,
    DEPLOY,
    DEPLOY_SHEET,
    RESTART,
    ROLLBACK,
    ROLLBACK_SHEET,
    UNHOLD,
    CommitRequest,
    DeployRequest,
    For,
    OperationRequest,
    RestartRequest,
    RollbackRequest,
    RollbackSheet,
    UnholdRequest,
)

F = TypeVar("F", bound=Callable[..., Any])


def consent_options(verb: F) -> F:
    for option in (
        click.option("--detach", is_flag=True, help="Start it, and do not wait for its end."),
        click.option("--confirm", default="", metavar="NAME", help="The service's name, where it must be typed."),
        click.option("--yes", is_flag=True, help="Do not ask. Where a name must be typed, --confirm as well."),
        click.option("--reason", default="", help="Why, for the record."),
    ):
        verb = option(verb)
    return verb


@cockpit.command()
@placement_arguments
@click.option("--commit", default="", help="Up to this one; without it the head of the branch.")
@click.option("--force", is_flag=True, help="Also when nothing is pending.")
@consent_options
@json_option
@click.pass_obj
def deploy(
    session: Session, service: str, environment: str | None, commit: str, force: bool, reason: str,
    yes: bool, confirm: str, detach: bool, as_json: bool,
) -> int:  # fmt: skip
    """Ship the pending commits."""
    key = names.placement(service, environment, [each.key for each in session.seen().placements])
    sheet = session.ask(DEPLOY_SHEET, CommitRequest(key, commit))
    if not as_json:
        say(*render.deploy_sheet(sheet))
    if sheet.refused and not force:
        raise Refused(sheet.refused)
    protected = key.service if sheet.protected else ""
    Consent(yes, confirm).require(f"Deploy {key}?", protected, f"{key.environment} is protected")
    upto = sheet.commit.sha if sheet.commit else commit
    live = sheet.live.number if sheet.live else None
    return _begin(session, DEPLOY, DeployRequest(key, upto, live, reason, force), detach, as_json)


@cockpit.command()
@placement_arguments
@click.option("--to", "target", help="This release instead of the last good one: r41.")
@consent_options
@json_option
@click.pass_obj
def rollback(
    session: Session, service: str, environment: str | None, target: str | None, reason: str,
    yes: bool, confirm: str, detach: bool, as_json: bool,
) -> int:  # fmt: skip
    """Bring the last good release back, or the one that --to names."""
    key = session.placement(service, environment)
    sheet = session.ask(ROLLBACK_SHEET, For(key))
    if sheet.refused:
        raise Refused(sheet.refused)
    chosen = _option(sheet, target)
    if not as_json:
        say(*render.rollback_sheet(sheet, chosen))
    number = sheet.options[chosen].release.number
    unarmed = "" if sheet.armed else key.service
    Consent(yes, confirm).require(f"Roll back {key} to r{number}?", unarmed, sheet.unarmed_because)
    live = sheet.live.number if sheet.live else None
    return _begin(session, ROLLBACK, RollbackRequest(key, number, live, reason), detach, as_json)


@cockpit.command()
@placement_arguments
@consent_options
@json_option
@click.pass_obj
def restart(
    session: Session, service: str, environment: str | None, reason: str,
    yes: bool, confirm: str, detach: bool, as_json: bool,
) -> int:  # fmt: skip
    """The live release in new containers, then the switch to them: no gap."""
    seen = session.snapshot()
    key = names.placement(service, environment, [each.key for each in seen.placements])
    placement = next(each for each in seen.placements if each.key == key)
    if placement.live is None:
        raise Refused(f"No release of {key} is live", f"cockpit deploy {key}")
    if not as_json:
        say(*render.restart_sheet(placement))
    protected = key.service if placement.protected else ""
    Consent(yes, confirm).require(f"Restart {key}?", protected, f"{key.environment} is protected")
    return _begin(session, RESTART, RestartRequest(key, placement.live.number, reason), detach, as_json)


@cockpit.command()
@click.argument("what", required=False)
@click.argument("environment", required=False)
@click.option("--reason", default="", help="Why, for the record.")
@json_option
@click.pass_obj
def cancel(session: Session, what: str | None, environment: str | None, reason: str, as_json: bool) -> None:
    """Cancel a running operation: by number, by SERVICE [ENV], or the only one that runs."""
    done = session.ask(CANCEL, OperationRequest(_running(session, what, environment), reason))
    document(done) if as_json else say(done.note or "Cancelling")


@cockpit.command()
@click.argument("service")
@click.argument("environment", required=False)
@click.option("--reason", required=True, help="Why it may be deployed again.")
@json_option
@click.pass_obj
def unhold(session: Session, service: str, environment: str | None, reason: str, as_json: bool) -> None:
    """Release the hold that a rollback left."""
    done = session.ask(UNHOLD, UnholdRequest(session.placement(service, environment), reason))
    document(done) if as_json else say(done.note or "Released")


def _begin(session: Session, call: Any, request: Any, detach: bool, as_json: bool) -> int:
    operation: Operation = session.ask(call, request)
    if detach:
        document(operation) if as_json else say(f"{_goes_on(operation)}. Watch it: cockpit logs -f {operation.id}")
        return 0
    try:
        return exit_status(session.run(lambda client: follow(client, operation.id, as_json)))
    except KeyboardInterrupt:
        tell(f"\nDetached: {_goes_on(operation)} in the engine", f"Watch it: cockpit logs -f {operation.id}")
        return DETACHED


def _goes_on(operation: Operation) -> str:
    return f"{operation.kind} {operation.id} of {operation.key} goes on"


def _option(sheet: RollbackSheet, target: str | None) -> int:
    if target is None:
        if sheet.selected is None:
            raise Refused("No release is sure enough to be chosen for you", "Name one: --to r41")
        return sheet.selected
    number = names.release(target)
    for index, option in enumerate(sheet.options):
        if option.release.number == number:
            return index
    known = ", ".join(option.release.name for option in sheet.options) or "none"
    raise UsageError(f"{sheet.key} cannot go back to r{number}", f"It can go back to: {known}")


def _running(session: Session, what: str | None, environment: str | None) -> int:
    if what and names.is_number(what):
        return int(what)
    seen = session.snapshot()
    running = [operation for operation in seen.operations if not operation.state.ended]
    if what:
        key = names.placement(what, environment, [each.key for each in seen.placements])
        running = [operation for operation in running if operation.key == key]
    if len(running) == 1:
        return running[0].id
    if not running:
        raise UsageError("No operation runs", "cockpit status")
    raise UsageError("Several operations run", "Say which: " + ", ".join(f"{each.id} ({each.key})" for each in running))
