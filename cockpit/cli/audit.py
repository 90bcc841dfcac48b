"""The verb that shows who did what, and whether that is still what was written."""

from __future__ import annotations

import click

from cockpit.cli import around
from cockpit.cli.output import document, say
from cockpit.cli.root import cockpit, json_option
from cockpit.cli.session import Session
from cockpit.errors import UsageError
from cockpit.model import PlacementKey
from cockpit.protocol import AUDIT, AUDIT_VERIFY, MAX_AUDIT, AuditRequest, AuditVerifyRequest

VERIFY = "verify"


@cockpit.command()
@click.argument("service", required=False, metavar="[SERVICE [ENV] | verify]")
@click.argument("environment", required=False, metavar="")
@click.option("--limit", type=click.IntRange(1, MAX_AUDIT), default=50, show_default=True, help="Newest rows.")
@click.option("--before", type=click.IntRange(1), metavar="ROW", help="Only rows older than this one: the next page.")
@click.option(
    "--head", default="", metavar="HEAD", help="With verify: a head from syslog that the chain must have had."
)
@json_option
@click.pass_obj
def audit(
    session: Session, service: str | None, environment: str | None, limit: int, before: int | None, head: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Who did what, newest first; verify: is each row as it was written? Exit status 1 names the first that is not."""
    if service == VERIFY and environment is None:
        verdict = session.ask(AUDIT_VERIFY, AuditVerifyRequest(head))
        document(verdict) if as_json else say(*around.verdict(verdict))
        return 0 if verdict.bad is None else 1
    if head:
        raise UsageError("--head belongs to verify", "cockpit audit verify --head HEAD")
    found = session.ask(AUDIT, AuditRequest(_key(session, service, environment), limit, before))
    document(found) if as_json else say(*around.audit(found))
    return 0


def _key(session: Session, service: str | None, environment: str | None) -> PlacementKey | None:
    """Also of a service that the configuration has no longer: given whole, it is taken as it is."""
    if service is None:
        return None
    if environment is None and "/" in service:
        service, environment = service.split("/", 1)
    return PlacementKey(service, environment) if environment else session.placement(service, None)
