"""The steps of a deploy: each does one thing, says what it did in one line, and may be repeated (but for `migrate`).

`traffic.py` has those that it shares with a rollback and a restart. A step raises Skip when there is nothing to do and
a CockpitError when it cannot be done; `run.py` writes the intent before it and the outcome after it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from cockpit.build.base import BuildLine, BuildOrder, Built
from cockpit.build.reference import reference
from cockpit.config.settings import PlacementSettings
from cockpit.engine import memory, plan, spec
from cockpit.engine.diagnose import explain
from cockpit.engine.images import all_logins, login_for, wait_for
from cockpit.engine.run import Run, StepWork
from cockpit.engine.starting import file_fingerprints, one_off
from cockpit.engine.traffic import MOVE, undo_start
from cockpit.errors import Failed, SourceError, TargetError
from cockpit.model import Failure, Side
from cockpit.source.base import Repository
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import RawLine
from cockpit.text import took

EDGE_WAIT = 5.0  # seconds for an edge that is just being started again
RECENT = 5  # releases whose migrations may still run
TAIL = 60  # lines of a migration that explain why it failed
FREE_SPACE = 512 * 1024 * 1024  # bytes that must be free where the engine writes


def repository(placement: PlacementSettings) -> Repository:
    return Repository(placement.service.repo, placement.service.branch)


async def preflight(run: Run) -> str:
    host = await run.host.target.ping()
    if not run.host.caught_up:
        words = f"the cockpit has not compared its log with what {run.host.name} has yet"
        raise Failed(Failure("preflight", Side.COCKPIT, words, next="try again in a few seconds"))
    values = await run.values.fingerprints(spec.freeze(run.placement, "", {}, {}))
    secrets = {name for of in values.values() for name in of}
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
    await _host_has_all(run)
    await _edge_answers(run)
    run.say(f"Docker {host.version} on {host.name} answers; {len(secrets)} secrets resolve; {free // 2**30} GB free")
    return f"Docker {host.version}" + (f", {len(secrets)} secrets" if secrets else "")


async def _host_has_all(run: Run) -> None:
    """What the release needs of the host and the cockpit does not make: networks of others."""
    for process in spec.freeze(run.placement, "", {}, {}).processes.values():
        missing = await run.host.target.missing(process)
        if missing:
            raise Failed(Failure("preflight", Side.CONFIGURATION, missing[0], next="make it, or correct the name"))


async def _edge_answers(run: Run) -> None:
    """A port that somebody else has is said before anything is built, and not when nothing can be verified."""
    if not run.placement.service.routed:
        return
    clock = run.ports.clock
    deadline = clock.monotonic() + EDGE_WAIT
    while not await run.host.edge.answers():
        if clock.monotonic() > deadline:
            why, _, hint = run.host.edge_error.partition(" · ")
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
    run.release = await run.ports.store.add_release(await memory.numbered(run.ports, run.host, record))
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
    built = await run.host.builder.find(tag)
    detail = "this commit was built before"
    if built is None:
        built = await _build(run, tag)
        detail = f"image {built.image.removeprefix('sha256:')[:12]}"
    await _frozen(run, built.image)
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
            logins=await all_logins(run.ports.secrets, run.settings.registry),
        )
        return await run.host.builder.build(order, _Lines(run))
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


async def _frozen(run: Run, image: str) -> None:
    """The image is there: from here on the release is complete and never changes."""
    release, secrets = run.bringing, await run.values.fingerprints(spec.freeze(run.placement, "", {}, {}))
    files = await file_fingerprints(run.ports.secrets, run.placement.service)
    whole = replace(spec.freeze(run.placement, image, secrets, files), keyed_by=run.ports.secrets.keyed_by)
    frozen = spec.to_text(whole)
    await run.ports.store.update_release(release.key, release.number, image=image, spec=frozen)
    run.release = replace(release, image=image, spec=frozen)


async def push(run: Run) -> str:
    release, ports = run.bringing, run.ports
    name = run.placement.service.image
    assert name is not None, "planned only with a registry image"
    wanted = plan.push_reference(name, release.commit, release.tree)
    login = await login_for(ports.secrets, run.settings.registry, name)
    pushed = await run.host.builder.push(release.image, wanted, login, _Lines(run))
    await ports.store.update_release(release.key, release.number, image=pushed.reference)
    run.release = replace(release, image=pushed.reference)
    return f"{wanted} as {pushed.digest[:19]}"


async def pull(run: Run) -> str:
    """The image that CI made of this commit, by its digest: a tag that moves later changes nothing."""
    template = run.placement.service.image
    assert template is not None, "planned only with images from CI"
    name = reference(template, run.bringing.commit)
    login = await login_for(run.ports.secrets, run.settings.registry, name)
    digest = await wait_for(run.ports, run.host, name, login, run.placement.service.image_timeout, run.progress)
    pulled = await run.host.builder.pull(name, digest, login, _Lines(run))
    await _frozen(run, pulled.reference)
    return f"{name} as {digest[:19]}"


async def migrate(run: Run) -> str:
    """Once, in a container of its own, while the old release serves. After a crash it is never repeated by itself."""
    release, frozen = run.bringing, spec.from_text(run.bringing.spec)
    assert frozen.migrate is not None, "planned only with a migration"
    await _no_other_migration(run)
    order = await one_off(run.values, release, frozen.migrate.command, run.operation.id)
    began, tail = run.ports.clock.monotonic(), deque[RawLine](maxlen=TAIL)

    def emit(line: RawLine) -> None:
        tail.append(line)
        run.say(line.text, source="migrate", stream=line.stream)

    try:
        async with asyncio.timeout(frozen.migrate.timeout):
            code = await run.host.target.run(order, emit)
    except TimeoutError:
        raise Failed(_not_migrated(run, f"did not end within {took(frozen.migrate.timeout)}")) from None
    if code:
        # Its two streams come as they please, so the last line of all may not be the last word.
        complained = [line.text for line in tail if line.stream == "err"]
        said = complained or [line.text for line in tail]
        raise Failed(explain(_not_migrated(run, f"exited with status {code}"), said))
    with suppress(TargetError):  # what it said is in the log
        await run.host.target.remove_one_offs(release.key, release.number)
    return f"done after {took(run.ports.clock.monotonic() - began)}"


async def _no_other_migration(run: Run) -> None:
    """One that an engine left behind when it died goes on: two at once are worse than none."""
    for record in run.world.placements[run.operation.key].records[:RECENT]:
        for each in await run.host.target.one_offs(record.key, record.number):
            if each.running and each.operation != run.operation.id:
                raise Failed(
                    Failure(
                        "migrate",
                        Side.INFRASTRUCTURE,
                        f"a migration of {record.name} still runs, since an engine died in it",
                        next=f"wait for its end: docker wait {each.id[:12]}; then deploy again",
                    )
                )


def _not_migrated(run: Run, what: str) -> Failure:
    live = f"r{run.live.number} serves" if run.live else "nothing serves"
    return Failure(
        "migrate",
        Side.APPLICATION,
        f"the migration {what}",
        means=f"the database may be changed in part; {live} as before",
        next="read its output, make the migration safe to run again, and deploy again",
    )


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
    "pull": pull,
    "migrate": migrate,
    **MOVE,
}
