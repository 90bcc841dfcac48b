"""The steps of a deploy: each does one thing, says what it did in one line, and may be repeated.

`traffic.py` has the five that a deploy shares with a rollback. A step raises Skip when there is nothing to do and a
CockpitError when it cannot be done; `run.py` writes the intent before it and the outcome after it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cockpit.build.base import BuildLine, BuildOrder, Built, Login
from cockpit.config.settings import PlacementSettings, Registry
from cockpit.engine import plan
from cockpit.engine.run import Run, StepWork
from cockpit.engine.traffic import confirm, settle, start, switch, undo_start, verify
from cockpit.errors import Failed, SourceError
from cockpit.model import Failure, Side
from cockpit.source.base import Repository
from cockpit.store.base import ReleaseRecord

EDGE_WAIT = 5.0  # seconds for an edge that is just being started again
FREE_SPACE = 512 * 1024 * 1024  # bytes that must be free where the engine writes


def repository(placement: PlacementSettings) -> Repository:
    return Repository(placement.service.repo, placement.service.branch)


async def preflight(run: Run) -> str:
    host = await run.ports.target.ping()
    secrets = await run.ports.secrets.resolve(run.placement.service.secrets)
    free = (await asyncio.to_thread(shutil.disk_usage, run.ports.paths.state)).free
    if free < FREE_SPACE:
        raise Failed(
            Failure(
                "preflight",
                Side.INFRASTRUCTURE,
                f"only {free // 2**20} MB free where the cockpit keeps its state",
                next="free space on this machine, then deploy again",
            )
        )
    await _edge_answers(run)
    run.say(f"Docker {host.version} on {host.name} answers; {len(secrets)} secrets resolve; {free // 2**30} GB free")
    return f"Docker {host.version}" + (f", {len(secrets)} secrets" if secrets else "")


async def _edge_answers(run: Run) -> None:
    """A port that somebody else has is said before anything is built, and not when nothing can be verified."""
    if run.placement.service.port is None:
        return
    clock = run.ports.clock
    deadline = clock.monotonic() + EDGE_WAIT
    while not await run.ports.edge.answers():
        if clock.monotonic() > deadline:
            why, _, hint = run.world.edge_error.partition(" · ")
            words = f"the edge is not up: {why or 'it does not answer'}"
            raise Failed(
                Failure("preflight", Side.INFRASTRUCTURE, words, next=hint or "`cockpit doctor` says how it is")
            )
        await clock.sleep(0.1)


async def fetch(run: Run) -> str:
    source, where = run.ports.source, repository(run.placement)
    fetched = await source.fetch(where)
    commit = await source.commit(where, run.operation.commit or fetched.head)
    await source.keep(where, commit.sha)
    tree = await source.tree(where, commit.sha, run.placement.service.path)
    shipped = await _shipped(run, where, commit.sha)
    record = ReleaseRecord(
        key=run.operation.key,
        number=0,
        operation=run.operation.id,
        commit=commit.sha,
        tree=tree,
        subject=commit.subject,
        author=commit.author,
        by=run.operation.actor.name,
        created_at=run.ports.clock.now(),
        commits=shipped,
    )
    run.release = await run.ports.store.add_release(record)
    number = run.release.number
    await run.ports.store.set_operation(run.operation.id, to_release=number, commit=commit.sha, subject=commit.subject)
    run.now_about(to_release=number, commit=commit.sha, subject=commit.subject)
    if fetched.note:
        run.say(fetched.note)
    return f"{commit.short}, {shipped} commit{'' if shipped == 1 else 's'}"


async def _shipped(run: Run, where: Repository, commit: str) -> int:
    if run.live is None:
        return 1
    path = run.placement.service.path
    try:
        return (await run.ports.source.between(where, run.live.commit, commit, path, limit=1)).count
    except SourceError as error:  # the live commit is gone from the repository: no reason not to deploy
        run.say(f"commits since {run.live.name} cannot be counted: {error.message}")
        return 1


async def build(run: Run) -> str:
    release, service, ports = run.bringing, run.placement.service, run.ports
    tag = plan.image_tag(ports.installation, release.key.service, release.commit, release.tree, service.build)
    built = await ports.builder.find(tag)
    detail = "this commit was built before"
    if built is None:
        built = await _build(run, tag)
        detail = f"image {built.image.removeprefix('sha256:')[:12]}"
    await _frozen(run, built)
    return detail


async def _build(run: Run, tag: str) -> Built:
    service, release = run.placement.service, run.bringing
    scratch = await asyncio.to_thread(_scratch, run)
    try:
        await run.ports.source.archive(repository(run.placement), release.commit, service.path, scratch)
        order = BuildOrder(
            context=scratch / service.build.context,
            dockerfile=service.build.dockerfile,
            tag=tag,
            args=dict(service.build.args),
            target=service.build.target,
            labels={"org.opencontainers.image.revision": release.commit},
        )
        return await run.ports.builder.build(order, _Lines(run))
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def _scratch(run: Run) -> Path:
    parent = run.ports.paths.state / "scratch"
    parent.mkdir(mode=0o700, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"op{run.operation.id}-", dir=parent))


class _Lines:
    """Build lines as lines of the operation's log, one heading a build step."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._step = -1
        self._cached = 0
        self._steps: set[int] = set()

    def __call__(self, line: BuildLine) -> None:
        if line.step != self._step and line.name:
            self._step = line.step
            self._run.say(line.name, source="build", cached=line.cached)
        if line.cached:
            self._cached += 1
        if line.step:
            self._steps.add(line.step)
        if line.text and line.text != line.name:
            self._run.say(line.text, source="build", stream="out", cached=line.cached)
        cached = f", {self._cached} cached" if self._cached else ""
        self._run.progress(f"{len(self._steps)} build step{'' if len(self._steps) == 1 else 's'}{cached}")


async def _frozen(run: Run, built: Built) -> None:
    """The image is there: from here on the release is complete and never changes."""
    release = run.bringing
    secrets = await run.ports.secrets.resolve(run.placement.service.secrets)
    spec = plan.to_text(plan.freeze(run.placement, built.image, run.ports.secrets.fingerprints(secrets)))
    await run.ports.store.update_release(release.key, release.number, image=built.image, spec=spec)
    run.release = replace(release, image=built.image, spec=spec)


async def push(run: Run) -> str:
    release, ports = run.bringing, run.ports
    name = run.placement.service.image
    assert name is not None, "planned only with a registry image"
    reference = plan.push_reference(name, release.commit, release.tree)
    pushed = await ports.builder.push(release.image, reference, await _login(run, name), _Lines(run))
    await ports.store.update_release(release.key, release.number, image=pushed.reference)
    run.release = replace(release, image=pushed.reference)
    return f"{reference} as {pushed.digest[:19]}"


async def _login(run: Run, name: str) -> Login | None:
    registry = registry_of(run.settings.registries, name)
    if registry is None or registry.username is None or registry.password is None:
        return None
    secret = await run.ports.secrets.resolve({"registry password": registry.password})
    return Login(registry.server, registry.username, secret["registry password"])


def registry_of(registries: tuple[Registry, ...], image: str) -> Registry | None:
    server = image.split("/", 1)[0]
    return next((each for each in registries if each.server == server), None)


async def undo(run: Run) -> str:
    """Nothing of the new release stays running; the release itself stays in the log as one that never served.

    Marked first: what cannot be taken away now, because Docker is away, is taken away later (`tidy.py`)."""
    if run.release is not None:
        await run.ports.store.update_release(run.release.key, run.release.number, failed=True)
    await undo_start(run)
    return "taken away"


DEPLOY: Mapping[str, StepWork] = {
    "preflight": preflight,
    "fetch": fetch,
    "build": build,
    "push": push,
    "start": start,
    "verify": verify,
    "switch": switch,
    "confirm": confirm,
    "settle": settle,
}
ROLLBACK: Mapping[str, StepWork] = {
    "start": start,
    "verify": verify,
    "switch": switch,
    "confirm": confirm,
    "settle": settle,
}
