"""Hazards of the Docker hosts: whose they are, what they remember, what a restart of the daemon would do, its API,
clock and tools, the edge's image."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cockpit.clock import Clock
from cockpit.engine import ownership
from cockpit.engine.doctor import disks
from cockpit.engine.host import Host
from cockpit.errors import CockpitError
from cockpit.protocol import Check, CheckState
from cockpit.targets.base import Claim, HostInfo

WITHIN = 10.0  # seconds for all that one host is asked
OLDEST_API = (1, 41)  # of Docker 20.10
APART = 2.0  # seconds between two clocks that make times of one log hard to compare
EDGE_AGE = 180.0  # days: a Caddy of half a year ago lacks fixes
DAY = 86400.0


async def examine(host: Host, clock: Clock, *, several: bool) -> tuple[Check, ...]:
    """Of a host that does not answer only what was known before: the rest is said elsewhere."""
    known = (owner(host.owner), memory(host.memory_note))
    found = (*known, *await _asked(host, clock))
    where = f" on {host.name}" if several else ""
    return tuple(Check(f"{each.name}{where}", each.state, each.evidence, each.next) for each in found)


async def _asked(host: Host, clock: Clock) -> tuple[Check, ...]:
    try:
        async with asyncio.timeout(WITHIN):
            before = clock.now()
            info = await host.target.ping()
            between = (before + clock.now()) / 2
            made, tool = await host.target.edge_image_made(), await host.builder.tool()
    except (CockpitError, TimeoutError):
        return ()
    checks = (live_restore(info), api(info), offset(info, between), edge_age(made, clock.now()), buildx(tool))
    root = (await asyncio.to_thread(disks.free, "Docker's disk", Path(info.root)),) if _here(host, info) else ()
    return (*checks, *root)


def owner(other: Claim | None) -> Check:
    """An engine that may only look lets a deploy be refused, and nobody should find out by that."""
    if other is None:
        return Check("owner", CheckState.PASS, "no other cockpit has what this one would change")
    return Check("owner", CheckState.WARN, *ownership.words("this host", other))


def memory(note: str) -> Check:
    name = "memory"
    if not note:
        return Check(name, CheckState.PASS, "it keeps what a lost state directory is built again from")
    cure = "see Docker's volumes there (docker volume ls); until then: cockpit backup FILE after each deploy"
    return Check(name, CheckState.WARN, f"it cannot remember releases, so a lost log costs their history: {note}", cure)


def live_restore(info: HostInfo) -> Check:
    name = "live-restore"
    if info.live_restore is None:
        return Check(name, CheckState.UNKNOWN, "Docker does not say")
    if info.live_restore:
        return Check(name, CheckState.PASS, "on: containers outlive a restart of Docker")
    cure = '"live-restore": true in /etc/docker/daemon.json, then systemctl reload docker'
    return Check(name, CheckState.WARN, "off: an upgrade of Docker stops every container, and customers notice", cure)


def api(info: HostInfo) -> Check:
    name, said = "Docker's API", f"{info.api or 'unknown'} (Docker {info.version})"
    numbers = info.api.split(".")
    if len(numbers) != 2 or not all(each.isdigit() for each in numbers):
        return Check(name, CheckState.UNKNOWN, said)
    if (int(numbers[0]), int(numbers[1])) < OLDEST_API:
        return Check(name, CheckState.FAIL, f"{said} is too old", "Docker 20.10 or newer")
    return Check(name, CheckState.PASS, said)


def offset(info: HostInfo, now: float) -> Check:
    name = "Docker's clock"
    if info.clock is None:
        return Check(name, CheckState.UNKNOWN, "Docker does not say")
    apart = info.clock - now
    said = f"{abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} the engine's"
    if abs(apart) < APART:
        return Check(name, CheckState.PASS, said)
    return Check(name, CheckState.WARN, f"{said}: times of logs do not fit together", "timedatectl set-ntp true there")


def edge_age(made: float | None, now: float) -> Check:
    name = "edge image"
    if made is None:
        return Check(name, CheckState.UNKNOWN, "no edge runs, or nobody knows when its image was made")
    days = (now - made) / DAY
    if days < EDGE_AGE:
        return Check(name, CheckState.PASS, f"made {max(0, days):.0f} days ago")
    cure = "upgrade cockpit (or edge.image), then cockpit edge upgrade"
    return Check(name, CheckState.WARN, f"made {days:.0f} days ago: it lacks later fixes of Caddy", cure)


def buildx(tool: str) -> Check:
    if "buildx" in tool:
        return Check("buildx", CheckState.PASS, tool)
    why = f"{tool} without buildx" if tool else "no docker command with BuildKit: images are built the old, slow way"
    return Check("buildx", CheckState.WARN, why, "install docker-buildx-plugin (Debian: docker-buildx)")


def _here(host: Host, info: HostInfo) -> bool:
    """Its disk is this machine's."""
    return host.line is None and bool(info.root) and Path(info.root).is_dir()
