"""`cockpit engine adopt`: this state directory becomes the installation whose releases a host has, because what knew of
them is lost: the other state directory, its bastion, or this directory's own name.

What the log here knew is kept beside it; at the next start the hosts fill a new one, as after a loss. Whoever still has
that installation's directory shares it from then on, and locks keep the two apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cockpit import private
from cockpit.clock import Clock, SystemClock
from cockpit.engine import identity, ownership
from cockpit.engine.backup import DATABASE, NAME, set_aside
from cockpit.engine.holder import this_process
from cockpit.engine.host_opener import nameless
from cockpit.engine.lock import Lock
from cockpit.engine.syslog import Syslog
from cockpit.errors import CockpitError, Refused
from cockpit.model import Actor, AuditRow
from cockpit.paths import Paths
from cockpit.store.log import ReleaseLog
from cockpit.targets.base import Claim, Target

Ask = Callable[[str], AbstractAsyncContextManager[Target]]  # a host by its name


@dataclass(frozen=True, slots=True)
class Found:
    """What the hosts say of their owners. `near` are hosts of this machine, whose edge reads a directory here."""

    claims: Mapping[str, tuple[Claim, ...]]  # by host
    silent: Mapping[str, str]  # host → why
    near: frozenset[str] = frozenset()

    def hosts_of(self, installation: str) -> tuple[str, ...]:
        return tuple(name for name, claims in self.claims.items() if any(_is(each, installation) for each in claims))

    def of(self, installation: str) -> tuple[Claim, ...]:
        return tuple(each for claims in self.claims.values() for each in claims if _is(each, installation))


def _is(claim: Claim, installation: str) -> bool:
    return claim.installation == installation


async def look(hosts: Mapping[str, bool], ask: Ask) -> Found:
    """`hosts` by name, and whether each is near."""
    claims, silent = {}, {}
    for name in hosts:
        try:
            async with ask(name) as target:
                claims[name] = await target.claims()
        except TimeoutError:
            silent[name] = "it does not answer"
        except CockpitError as error:
            silent[name] = error.message
    return Found(claims, silent, frozenset(name for name, near in hosts.items() if near))


def listing(found: Found, mine: str) -> list[str]:
    """Whom the hosts belong to. Pure."""
    lines = []
    for name in sorted({each.installation for claims in found.claims.values() for each in claims}):
        lines.append(f"{described(found, name)}{' · this directory' if name == mine else ''}")
    lines += [f"{name}: {why}" for name, why in found.silent.items()]
    return lines or ["no host has anything of a cockpit"]


def described(found: Found, installation: str) -> str:
    """Pure."""
    claims = found.of(installation)
    has = ", ".join(sorted({str(key) for each in claims for key in each.placements})) or "no releases"
    of = claims[0]
    whose = f"{of.user} on {of.bastion}, state {of.state}"
    return f"{installation} of {whose}: {has} on {', '.join(found.hosts_of(installation))}"


def refusal(found: Found, installation: str, mine: str, state: str) -> Refused | None:
    """Why this directory cannot become it. Pure."""
    if installation == mine:
        return Refused(f"{state} is the installation {mine} already", "cockpit status")
    if not found.of(installation):
        silent = "".join(f"; {name}: {why}" for name, why in found.silent.items())
        return Refused(f"no host that answers has an installation {installation}{silent}", "cockpit engine adopt")
    for host in found.near & set(found.hosts_of(installation)):
        there = {each.state for each in found.claims[host] if _is(each, installation)}
        if there != {state}:
            elsewhere = ", ".join(sorted(there))
            return Refused(
                f"the edge of {installation} on {host} reads {elsewhere}, and this is {state}",
                f"do it there: cockpit --state {elsewhere} engine adopt {installation}",
            )
    return None


async def adopt(
    paths: Paths, found: Found, installation: str, claim: Claim, actor: Actor, ask: Ask, clock: Clock
) -> list[str]:
    """What was done, in words. The caller holds the directory's lock. Raises Refused, StoreError."""
    mine = await asyncio.to_thread(name_of, paths.state)
    if refused := refusal(found, installation, mine, str(paths.state)):
        raise refused
    await _must_serve_nothing(paths, mine, clock)
    kept = await asyncio.to_thread(set_aside, paths.state / DATABASE)
    was = f"; this directory was the installation {mine}" if mine else ""
    log = f", its log is kept as {kept.name}" if kept else ""
    text = f"{described(found, installation)}{was}{log}"
    store = await ReleaseLog.open(paths.state / DATABASE, clock, Syslog(installation).send)
    try:
        cli = f"cockpit engine adopt {installation}"
        await store.record(AuditRow(0, clock.now(), actor, "engine adopt", "done", text=text, cli=cli))
    finally:
        await store.close()
    await asyncio.to_thread(_become, paths.state, installation)
    said = [f"{paths.state} is the installation {installation} now. The next start asks the hosts for the rest"]
    if mine:
        label = f"deploy-cockpit.installation={mine}"
        said.append(f"What {mine} made stays: docker ps --all --filter label={label}")
    return said + await _claimed(found.hosts_of(installation), claim, ask)


async def _must_serve_nothing(paths: Paths, mine: str, clock: Clock) -> None:
    if not await asyncio.to_thread((paths.state / DATABASE).exists):
        return
    store = await ReleaseLog.open(paths.state / DATABASE, clock)
    try:
        live = [str(each.key) for each in await store.placements() if each.live is not None]
    finally:
        await store.close()
    if live:
        raise Refused(
            f"{paths.state} is the installation {mine}, which serves {', '.join(live)}",
            "adopt into another directory: cockpit --state DIRECTORY engine adopt …",
        )


async def _claimed(hosts: tuple[str, ...], claim: Claim, ask: Ask) -> list[str]:
    """From now on they name this machine. One that does not hear it names the old one, and is ours all the same."""
    unheard = []
    for name in hosts:
        try:
            async with ask(name) as target:
                await target.claim(claim)
        except (CockpitError, TimeoutError) as error:
            unheard.append(f"{name} goes on naming the former owner: {error}")
    return unheard


def name_of(state: Path) -> str:
    """ "" for a directory that has none yet."""
    try:
        return (state / NAME).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _become(state: Path, installation: str) -> None:
    """The name last: a directory that was left half adopted is asked again."""
    for subnet in (state / "subnet", *state.glob("hosts/*/subnet")):  # of the networks of before
        subnet.unlink(missing_ok=True)
    beside = state / f".{NAME}.new"
    with open(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(f"{installation}\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(state / NAME)


# ---------------------------------------------------------------- as a process


async def _run(paths: Paths, installation: str, *, doing: bool) -> list[str]:
    clock, ask = SystemClock(), partial(nameless, paths=paths, clock=SystemClock())
    found = await look(await asyncio.to_thread(_hosts, paths), ask)
    mine = await asyncio.to_thread(name_of, paths.state)
    if not installation:
        return listing(found, mine)
    if not doing:
        if refused := refusal(found, installation, mine, str(paths.state)):
            raise refused
        return [described(found, installation), *_warnings(mine, installation)]
    me = await asyncio.to_thread(this_process)
    user = identity.user_name(os.geteuid())
    claim = ownership.claim(installation, me, user, str(paths.state))
    actor = identity.actor_of(os.getpid(), os.geteuid())
    return await _locked(paths, lambda: adopt(paths, found, installation, claim, actor, ask, clock))


def _warnings(mine: str, installation: str) -> list[str]:
    shared = f"Whoever still runs {installation} shares it from then on: locks keep the two apart"
    return [shared, *([f"This directory is the installation {mine} until then"] if mine else [])]


async def _locked(paths: Paths, work: Callable[[], Awaitable[list[str]]]) -> list[str]:
    await asyncio.to_thread(private.make, paths.state)
    lock = Lock(paths.lock)
    if not await asyncio.to_thread(lock.take):
        hint = "cockpit engine stop, and close open cockpits: they start it again"
        raise Refused(f"an engine runs on {paths.state}", hint)
    try:
        return await work()
    finally:
        lock.release()


def _hosts(paths: Paths) -> dict[str, bool]:
    from cockpit.config.load import load
    from cockpit.targets.contexts import resolve

    names = sorted({each.environment.host for each in load(paths.config).placements})
    return {name: not resolve(name).startswith("ssh://") for name in names}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cockpit.engine.adoption")
    parser.add_argument("verb", choices=["look", "adopt"])
    for each in ("--config", "--state", "--socket"):
        parser.add_argument(each, type=Path, required=True)
    parser.add_argument("--installation", default="")
    chosen = parser.parse_args(arguments)
    os.umask(0o077)
    paths = Paths(chosen.config, chosen.state, chosen.socket)
    try:
        print("\n".join(asyncio.run(_run(paths, chosen.installation, doing=chosen.verb == "adopt"))))
    except CockpitError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"{error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
