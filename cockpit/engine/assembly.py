"""The one place that wires: real adapters for every port of an engine."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Collection
from functools import partial

from cockpit.clock import Clock, SystemClock
from cockpit.config.load import load
from cockpit.engine import leftovers, ownership
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.core import Cockpit
from cockpit.engine.holder import lives, this_process
from cockpit.engine.host_opener import HostOpener, claims_on
from cockpit.engine.ports import Ports
from cockpit.engine.secrets import Secrets
from cockpit.engine.syslog import Syslog
from cockpit.paths import Paths
from cockpit.targets.host_lock import Holder

log = logging.getLogger(__name__)


async def open_engine(paths: Paths) -> Cockpit:
    """Raises ConfigError before anything is opened, StoreError when the release log cannot be."""
    configuration = await asyncio.to_thread(ConfigurationFile, paths.config, load, SystemClock())
    hosts = {each.environment.host for each in configuration.settings.placements}
    return Cockpit(await _open(paths, hosts), configuration)


async def _open(paths: Paths, hosts: Collection[str] = ()) -> Ports:
    from cockpit.build import lent
    from cockpit.source.git import GitSource
    from cockpit.store.log import ReleaseLog

    await asyncio.to_thread(leftovers.clear, paths.state)
    await asyncio.to_thread(lent.clear)
    clock = SystemClock()
    me = await asyncio.to_thread(this_process, str(paths.state))
    found = await _lost(paths, hosts, me, clock)
    name = await asyncio.to_thread(installation, paths, found)
    return Ports(
        installation=name,
        paths=paths,
        clock=clock,
        store=await ReleaseLog.open(paths.database, clock, Syslog(name).send),
        source=GitSource(paths.mirrors, clock),
        secrets=await asyncio.to_thread(Secrets, paths.state / "secret.key"),
        open_host=HostOpener(paths, name, clock).open,
        me=me,
        lives=partial(lives, me=me),
    )


async def _lost(paths: Paths, hosts: Collection[str], me: Holder, clock: Clock) -> str:
    """The installation that an empty state directory had, as its hosts know it; "" when it is not empty, or new."""
    if (paths.state / "installation").exists():
        return ""
    claims = await asyncio.gather(*(claims_on(name, paths, clock) for name in hosts))
    found = ownership.lost([each for of in claims for each in of], me, str(paths.state))
    if found:
        log.warning("%s was emptied: this is the installation %s again, as its hosts say", paths.state, found)
    return found


def installation(paths: Paths, found: str = "") -> str:
    """Names all that this engine makes on a host; chosen once for each state directory, unless it was found again."""
    file = paths.state / "installation"
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        name = found or secrets.token_hex(4)
        file.write_text(name + "\n", encoding="ascii")
        return name
