"""Verbs that only look."""

from __future__ import annotations

import click

from cockpit.cli import around, names, render
from cockpit.cli.follow import follow_log
from cockpit.cli.output import document, say
from cockpit.cli.root import cockpit, json_option, placement_arguments
from cockpit.cli.session import Session
from cockpit.errors import UsageError
from cockpit.model import PlacementKey, Release
from cockpit.protocol import (
    DOCTOR,
    MAX_TAIL,
    OPERATION,
    OPERATIONS,
    PENDING,
    RELEASES,
    CheckState,
    For,
    LogKind,
    LogRequest,
    Nothing,
    OperationRequest,
    OperationsRequest,
)


@cockpit.command()
@json_option
@click.pass_obj
def status(session: Session, as_json: bool) -> None:
    """Every service: health, live release, pending commits, what runs."""
    seen = session.seen()
    document(seen) if as_json else say(*around.above(seen.engine), *render.placements(seen), *around.below(seen.engine))


@cockpit.command()
@placement_arguments
@json_option
@click.pass_obj
def pending(session: Session, service: str, environment: str | None, as_json: bool) -> None:
    """Commits on the branch that the live release does not contain."""
    found = session.ask(PENDING, For(session.placement(service, environment)))
    document(found) if as_json else say(*render.pending(found))


@cockpit.command()
@placement_arguments
@json_option
@click.pass_obj
def releases(session: Session, service: str, environment: str | None, as_json: bool) -> None:
    """Releases, newest first: where they are, and whether they were good."""
    found = session.ask(RELEASES, For(session.placement(service, environment)))
    document(found) if as_json else say(*render.releases(found))


@cockpit.command()
@click.argument("what", required=False)
@click.argument("service", required=False)
@click.argument("environment", required=False)
@json_option
@click.pass_obj
def show(session: Session, what: str | None, service: str | None, environment: str | None, as_json: bool) -> None:
    """The last operations; one of them by its number; or one release of a service: show r41 web/production."""
    if what is None:
        found = session.ask(OPERATIONS, OperationsRequest(limit=20))
        document(found) if as_json else say(*render.operations(found.operations))
        return
    if names.is_number(what):
        operation = session.ask(OPERATION, OperationRequest(int(what)))
        document(operation) if as_json else say(*render.operation(operation))
        return
    key = session.placement(service, environment) if service else _only(session)
    release = _release(session, names.release(what), key)
    document(release) if as_json else say(*render.release(release))


@cockpit.command()
@click.argument("what")
@click.argument("environment", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until ctrl+c.")
@click.option("--tail", type=click.IntRange(0, MAX_TAIL), default=200, show_default=True, help="Lines to begin with.")
@click.option("--release", help="Of this release instead of the live one: r41.")
@click.option("--process", default="", metavar="NAME", help="Only of this process.")
@json_option
@click.pass_obj
def logs(
    session: Session, what: str, environment: str | None, follow: bool, tail: int, release: str | None, process: str,
    as_json: bool,
) -> None:  # fmt: skip
    """The log of a service's live release, or of an operation by its number."""
    if names.is_number(what):
        found = session.ask(OPERATION, OperationRequest(int(what)))  # one that never was has no log to wait for
        request = LogRequest(LogKind.OPERATION, operation=found.id, tail=tail, follow=follow)
    else:
        key = session.placement(what, environment)
        number = _release(session, names.release(release), key).number if release else None
        request = LogRequest(LogKind.SERVICE, key, release=number, tail=tail, follow=follow, process=process)
    session.run(lambda client: follow_log(client, request, as_json))


@cockpit.command()
@json_option
@click.pass_obj
def doctor(session: Session, as_json: bool) -> int:
    """Is every link of the chain fit for a deploy? Exit status 1 when one is not."""
    found = session.ask(DOCTOR, Nothing())
    document(found) if as_json else say(*render.checks(found))
    return 1 if any(check.state is CheckState.FAIL for check in found.checks) else 0


def _release(session: Session, number: int, key: PlacementKey) -> Release:
    found = session.ask(RELEASES, For(key)).releases
    match = next((release for release in found if release.number == number), None)
    if match is None:
        raise UsageError(f"{key} has no release r{number}", f"cockpit releases {key} lists them")
    return match


def _only(session: Session) -> PlacementKey:
    keys = [each.key for each in session.snapshot().placements]
    if len(keys) != 1:
        raise UsageError("Releases are numbered per service: say of which", "cockpit show r41 SERVICE/ENV")
    return keys[0]
