"""What a deploy would do, for the sheet that asks whether to do it. Reads everything, changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from cockpit.engine import plan, spec
from cockpit.engine.checks import preflight
from cockpit.engine.ports import Ports
from cockpit.engine.scene import Scene
from cockpit.engine.steps import repository
from cockpit.errors import CockpitError, SourceError
from cockpit.model import Commit, Health, Operation, OperationKind
from cockpit.protocol import DeploySheet, PlannedStep
from cockpit.text import age

BATCH_LIMIT = 8  # commits; more is a risk worth a word
GONE = "{} is not in the configuration any more: it goes on running, and B still goes back"

Marked = Callable[[tuple[Commit, ...]], tuple[Commit, ...]]


async def deploy_sheet(ports: Ports, scene: Scene, wanted: str, marked: Marked) -> DeploySheet:
    """`marked` says of commits which of them have an image."""
    key, live = scene.placement.key, scene.live
    sheet = DeploySheet(
        key=key,
        live=scene.release(live) if live else None,
        number=max((each.number for each in scene.records), default=0) + 1,
        commit=None,
        protected=scene.placement.environment.protected,
        hold=scene.row.hold,
        lock=scene.seen.lock,
        freeze=scene.freeze,
    )
    if not scene.configured:
        return replace(sheet, refused=GONE.format(key))
    try:
        commit, commits, count = await _shipping(ports, scene, wanted)
    except SourceError as error:
        return replace(sheet, refused=f"{error.message} · {error.hint}")
    (commit,), commits = marked((commit,)), marked(commits)
    checks, usual, built = await asyncio.gather(
        preflight(ports, scene),
        ports.store.usual_seconds(key, OperationKind.DEPLOY),
        _built(ports, scene, commit),
    )
    return replace(
        sheet,
        commit=commit,
        commits=commits,
        count=count,
        checks=checks,
        steps=tuple(
            PlannedStep(name, usual.get(name), "built before" if name == "build" and built else "")
            for name in plan.steps(scene.placement.service, spec.from_text(live.spec) if live else None)
        ),
        warnings=_warnings(scene, commit, commits, count),
        refused=refuse_deploy(scene, commit.sha),
        image_exists=built,
    )


async def _shipping(ports: Ports, scene: Scene, wanted: str) -> tuple[Commit, tuple[Commit, ...], int]:
    where, path = repository(scene.placement), scene.placement.service.path
    try:
        known = await ports.source.known(where) or await ports.source.fetch(where)
        commit = await ports.source.commit(where, wanted or known.head)
    except SourceError:  # perhaps pushed a moment ago, and perhaps the first
        known = await ports.source.fetch(where)
        commit = await ports.source.commit(where, wanted or known.head)
    if scene.live is None:
        return commit, (commit,), 1
    try:
        shipped = await ports.source.between(where, scene.live.commit, commit.sha, path)
    except SourceError:  # the live commit is gone from the repository
        return commit, (commit,), 1
    return commit, shipped.commits, shipped.count


async def _built(ports: Ports, scene: Scene, commit: Commit) -> bool:
    placement, service = scene.placement, scene.placement.service
    if service.from_ci:
        return bool(commit.image)
    try:
        tree = await ports.source.tree(repository(placement), commit.sha, service.path)
        tag = plan.image_tag(ports.installation, placement.key.service, commit.sha, tree, service.build)
        return await scene.host.builder.find(tag) is not None
    except CockpitError:
        return False


def _warnings(scene: Scene, commit: Commit, commits: tuple[Commit, ...], count: int) -> tuple[str, ...]:
    said = []
    live = scene.live
    if (other := scene.seen.elsewhere) is not None:
        ago = age(scene.now - other.since)
        said.append(f"{other.by} on {other.bastion} began a {other.kind} {ago} ago: refused while that goes on")
    if live is not None and scene.seen.health is Health.FAILING:
        said.append(f"{live.name} is failing: B rolls back in a moment, a deploy takes longer")
    if live is not None and live.baking_until and live.baking_until > scene.now:
        said.append(f"ends the watch over {live.name}, which bakes for {age(live.baking_until - scene.now)} more")
    if count > BATCH_LIMIT:
        said.append(f"{count} commits at once: j k ships fewer")
    migrations = [each.short for each in commits if "db" in each.flags]
    if migrations:
        said.append(f"touches the database: {', '.join(migrations[:3])}; a rollback does not undo that")
    if live is not None and live.commit == commit.sha and scene.settings_changed:
        said.append("no new commit: this ships changed settings")
    return tuple(said)


def refuse_deploy(scene: Scene, commit: str, *, force: bool = False) -> str:
    """Why not, or "". `force` deploys although nothing is pending."""
    if scene.operation is not None:
        return busy(scene.operation, scene.now)
    if scene.locked:
        return scene.locked
    if scene.row.hold is not None:
        hold = scene.row.hold
        return f"held by {hold.by} for {age(scene.now - hold.at)}: {hold.reason} · x releases the hold with a reason"
    live = scene.live
    if force or live is None or live.commit != commit:
        return ""
    if not scene.settings_changed:
        looked = f" · fetched {age(scene.now - scene.fetched_at)} ago, R fetches now" if scene.fetched_at else ""
        return f"nothing to deploy: {live.name} is that commit{looked}"
    return ""


def busy(operation: Operation, now: float) -> str:
    name = f" r{operation.to_release}" if operation.to_release else ""
    return f"{operation.actor.name} started {operation.kind.value}{name} {age(now - operation.started_at)} ago"
