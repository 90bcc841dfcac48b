"""What an operation would do, for the sheet that asks whether to do it. Reads everything, changes nothing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from cockpit.config.settings import PlacementSettings
from cockpit.engine import plan, spec, views
from cockpit.engine.host import Host
from cockpit.engine.ports import Ports
from cockpit.engine.starting import Values
from cockpit.engine.steps import FREE_SPACE, repository
from cockpit.errors import CockpitError, SourceError
from cockpit.model import Commit, Health, Lock, Operation, OperationKind, Placement, Release
from cockpit.protocol import (
    Check,
    CheckState,
    DeploySheet,
    PlannedStep,
    RollbackOption,
    RollbackSheet,
)
from cockpit.store.base import PlacementRecord, ReleaseRecord
from cockpit.text import age, took

SECOND_ROLLBACK = 600.0  # seconds in which another rollback opens unarmed
BATCH_LIMIT = 8  # commits; more is a risk worth a word
SECRETS_TIMEOUT = 3.0
EDGE_WAIT, EDGE_LOOK = 4.0, 0.2  # seconds that an edge gets to come up, and between two looks
WAY_BACK = "What served before the cockpit still can: put the line in nginx or Traefik back"
GONE = "{} is not in the configuration any more: it goes on running, and B still goes back"
HEARD = 10.0  # seconds: an older answer is not "now"
OPTIONS = 8  # releases that a rollback sheet offers


Marked = Callable[[tuple[Commit, ...]], tuple[Commit, ...]]


@dataclass(frozen=True, slots=True)
class Scene:
    """What the sheets look at: rows, the placement as it is seen now, and what else is going on."""

    placement: PlacementSettings
    host: Host
    row: PlacementRecord
    records: tuple[ReleaseRecord, ...]  # newest first
    seen: Placement
    running: frozenset[int]  # releases of this placement with running containers
    operation: Operation | None  # running now
    failing_elsewhere: tuple[str, ...]
    left_at: float | None  # when customers were last rolled back
    configured: bool
    fetched_at: float | None  # when the repository was last asked
    settings_changed: bool  # what is configured, or what its env files say, is not what runs
    now: float
    locked: str  # why nothing may be deployed or restarted; "" when nothing forbids it
    overrides: tuple[str, ...]  # what a rollback goes through
    freeze: Lock | None

    @property
    def live(self) -> ReleaseRecord | None:
        return next((each for each in self.records if each.number == self.row.live), None)

    def release(self, record: ReleaseRecord) -> Release:
        return views.release(record, self.row.live, self.running, self.now)


async def deploy_sheet(ports: Ports, scene: Scene, wanted: str, marked: Marked) -> DeploySheet:
    """`marked` says of commits which of them have an image."""
    key, live = scene.placement.key, scene.live
    base = DeploySheet(
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
        return _refused(base, GONE.format(key))
    try:
        commit, commits, count = await _shipping(ports, scene, wanted)
    except SourceError as error:
        return _refused(base, f"{error.message} · {error.hint}")
    (commit,), commits = marked((commit,)), marked(commits)
    checks, usual, built = await asyncio.gather(
        _checks(ports, scene),
        ports.store.usual_seconds(key, OperationKind.DEPLOY),
        _built(ports, scene, commit),
    )
    return DeploySheet(
        key=key,
        live=base.live,
        number=base.number,
        commit=commit,
        commits=commits,
        count=count,
        checks=checks,
        steps=tuple(
            PlannedStep(name, usual.get(name), "built before" if name == "build" and built else "")
            for name in plan.steps(scene.placement.service, spec.from_text(live.spec) if live else None)
        ),
        protected=base.protected,
        warnings=_deploy_warnings(scene, commit, commits, count),
        refused=refuse_deploy(scene, commit.sha),
        hold=base.hold,
        image_exists=built,
        lock=base.lock,
        freeze=base.freeze,
    )


def _refused(sheet: DeploySheet, why: str) -> DeploySheet:
    return DeploySheet(
        key=sheet.key,
        live=sheet.live,
        number=sheet.number,
        commit=None,
        protected=sheet.protected,
        hold=sheet.hold,
        refused=why,
        lock=sheet.lock,
        freeze=sheet.freeze,
    )


async def _shipping(ports: Ports, scene: Scene, wanted: str) -> tuple[Commit, tuple[Commit, ...], int]:
    where, path = repository(scene.placement), scene.placement.service.path
    known = await ports.source.known(where) or await ports.source.fetch(where)
    try:
        commit = await ports.source.commit(where, wanted or known.head)
    except SourceError:  # perhaps pushed a moment ago
        await ports.source.fetch(where)
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


async def _checks(ports: Ports, scene: Scene) -> tuple[Check, ...]:
    host = scene.host
    return tuple(await asyncio.gather(_docker(host), _edge(host), _secrets(ports, scene), _disk(ports), _live(scene)))


async def _docker(of: Host) -> Check:
    try:
        host = await of.target.ping()
    except CockpitError as error:
        return Check("docker", CheckState.FAIL, error.message, error.hint)
    return Check("docker", CheckState.PASS, f"{host.version} on {host.name}")


async def _edge(host: Host) -> Check:
    """One that the engine is just bringing up is waited for."""
    if await host.edge.answers() or (host.starting and await _soon(host)):
        return Check("edge", CheckState.PASS, "answers")
    return Check("edge", CheckState.FAIL, "the edge does not answer", "`cockpit doctor` says why")


async def _soon(host: Host) -> bool:
    for _ in range(round(EDGE_WAIT / EDGE_LOOK)):
        await asyncio.sleep(EDGE_LOOK)
        if await host.edge.answers():
            return True
    return False


async def _secrets(ports: Ports, scene: Scene) -> Check:
    """Of every process, with what its env files say."""
    processes = spec.freeze(scene.placement, "", {}, {}).processes
    if not any(each.secrets or each.env_files for each in processes.values()):
        return Check("secrets", CheckState.PASS, "none configured")
    values: dict[str, str] = {}
    try:
        async with asyncio.timeout(SECRETS_TIMEOUT):
            known = Values(ports.secrets)
            for each in processes.values():
                values |= await known.of(each)
    except TimeoutError:
        return Check("secrets", CheckState.UNKNOWN, f"no answer within {SECRETS_TIMEOUT:.0f} s")
    except CockpitError as error:
        return Check("secrets", CheckState.FAIL, error.message, error.hint)
    secret = {name for each in processes.values() for name in each.secrets}
    empty = sorted(name for name in secret if not values[name].strip())
    if empty:
        return Check("secrets", CheckState.WARN, f"empty: {', '.join(empty)}", "check where they come from")
    return Check("secrets", CheckState.PASS, f"{len(values)} resolve")


async def _disk(ports: Ports) -> Check:
    free = (await asyncio.to_thread(shutil.disk_usage, ports.paths.state)).free
    state = CheckState.PASS if free >= FREE_SPACE else CheckState.FAIL
    return Check("disk", state, f"{free / 2**30:.1f} GB free", "" if state is CheckState.PASS else "free space first")


async def _live(scene: Scene) -> Check:
    if scene.live is None:
        return Check("live", CheckState.PASS, "first release")
    if scene.seen.health is Health.HEALTHY:
        return Check("live", CheckState.PASS, f"{scene.live.name} is healthy")
    return Check("live", CheckState.WARN, f"{scene.live.name} is {scene.seen.health.value}: {scene.seen.why}")


def _deploy_warnings(scene: Scene, commit: Commit, commits: tuple[Commit, ...], count: int) -> tuple[str, ...]:
    said = []
    live = scene.live
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


async def rollback_sheet(ports: Ports, scene: Scene) -> RollbackSheet:
    key, live = scene.placement.key, scene.live
    if live is None:
        return RollbackSheet(key, None, refused="nothing is live here: there is nothing to roll back")
    records = plan.returnable(scene.records, live.number)[:OPTIONS]
    if not records:
        return RollbackSheet(
            key,
            scene.release(live),
            refused=f"{live.name} is the first release: there is none to go back to. {WAY_BACK}",
        )
    options = tuple(await asyncio.gather(*(_option(ports, scene, record) for record in records)))
    undoes = tuple(await asyncio.gather(*(_undone(ports, scene, live, record) for record in records)))
    default = plan.rollback_default(records, live.number)
    unarmed = _unarmed_because(scene, default)
    return RollbackSheet(
        key=key,
        live=scene.release(live),
        options=options,
        selected=records.index(default) if default else None,
        undoes=undoes,
        armed=not unarmed,
        unarmed_because=unarmed,
        warnings=_rollback_warnings(scene, live),
    )


async def _option(ports: Ports, scene: Scene, record: ReleaseRecord) -> RollbackOption:
    release = scene.release(record)
    answering = [
        each for each in scene.seen.replicas if each.release == record.number and each.running and each.address
    ]
    fresh = [each for each in answering if each.probed_at is not None and scene.now - each.probed_at <= HEARD]
    answers = all(200 <= each.status < 300 for each in fresh) if fresh else None
    said = [f"served {age(release.served_seconds)}"]
    if release.rolled_back:
        said.append("rolled back from")
    seconds = await ports.store.usual_rollback(record.key, release.tier.value)
    return RollbackOption(release, release.tier, seconds, ", ".join(said), answers)


async def _undone(ports: Ports, scene: Scene, live: ReleaseRecord, to: ReleaseRecord) -> tuple[Commit, ...]:
    """The commits that going back takes away. A repository that does not answer must not hold up a rollback."""
    try:
        async with asyncio.timeout(1.0):
            taken = await ports.source.between(
                repository(scene.placement), to.commit, live.commit, scene.placement.service.path, limit=50
            )
    except (CockpitError, TimeoutError):
        return ()
    return taken.commits


def _unarmed_because(scene: Scene, default: ReleaseRecord | None) -> str:
    """Why the service's name must be typed; "" when `y` is enough."""
    last = max((at for at in (scene.left_at, *(each.rolled_back_at for each in scene.records)) if at), default=None)
    if last is not None and scene.now - last < SECOND_ROLLBACK:
        who = f" by {scene.row.hold.by}" if scene.row.hold else ""
        return f"rolled back {age(scene.now - last)} ago{who}"
    if scene.seen.health is Health.HEALTHY and scene.failing_elsewhere:
        elsewhere = scene.failing_elsewhere[0]
        return f"{scene.placement.key.service} is healthy. {elsewhere} fails: ! goes there"
    if default is None:
        return "no release is known to be good: choose one with j k"
    return ""


def _rollback_warnings(scene: Scene, live: ReleaseRecord) -> tuple[str, ...]:
    said = []
    if scene.operation is not None and scene.operation.kind is OperationKind.DEPLOY:
        said.append(f"cancels the deploy that {scene.operation.actor.name} started")
    said += [f"goes through the {each} · the record will say so" for each in scene.overrides]
    served = scene.release(live).served_seconds
    if scene.seen.health is Health.FAILING and served > 86400:
        said.append(f"{live.name} was fine for {age(served)}: the cause may be elsewhere")
    if live.took_traffic_at is not None:
        said.append(f"not restored: data written since {took(scene.now - (live.live_since or scene.now))} ago")
    return tuple(said)
