"""The edge of each host: brought up when it is not there, told its routes when they are others, else left alone."""

from __future__ import annotations

import logging

from cockpit.edge.base import EdgePlan
from cockpit.engine.host import STARTING, Host
from cockpit.engine.pointed import put_back
from cockpit.engine.ports import Ports
from cockpit.engine.rounds import Rounds
from cockpit.engine.routing import edge_plan, edge_spec
from cockpit.engine.world import World
from cockpit.errors import CockpitError
from cockpit.targets.edge_spec import EdgeSpec

log = logging.getLogger(__name__)

COMPARE = 60.0  # seconds


class Edges:
    def __init__(self, ports: Ports, world: World) -> None:
        self._ports = ports
        self._world = world
        self._rounds = Rounds(self._look_at)
        self._loaded: dict[str, tuple[EdgePlan, float]] = {}  # by host: what it was last told, and when

    async def look(self) -> None:
        """What is wrong with one of them is kept with it."""
        await self._rounds.go([host for host in self._world.hosts.values() if self._world.on(host)])

    async def close(self) -> None:
        await self._rounds.close()

    async def _look_at(self, host: Host) -> None:
        try:
            await self._kept_up(host)
        except CockpitError as error:
            log.warning("the edge of %s: %s", host.name, error.message)
        except Exception as error:  # of one host; the others go on
            host.edge_error = f"the cockpit itself failed: {type(error).__name__}; engine.log says where"
            log.exception("the edge of %s", host.name)

    async def _kept_up(self, host: Host) -> None:
        """Routes are compared with what the edge runs when they are new, when it was away, and once a minute."""
        try:
            if await host.edge.answers():
                if host.owner is None:
                    await self._tell(host)
                host.edge_error = ""
                return
        except CockpitError as error:
            host.edge_error = f"{error.message} · {error.hint}" if error.hint else error.message
            raise
        if not host.docker_ok or host.owner is not None:
            host.edge_error = "does not answer"
            return
        host.edge_error = host.edge_error or "does not answer"  # one that was not asked yet is only being started
        host.edge_error = await self._bring_up(host)

    async def _tell(self, host: Host) -> None:
        plan, now = edge_plan(self._world.on(host)), self._ports.clock.monotonic()
        told, at = self._loaded.get(host.name, (None, 0.0))
        if plan != told or host.edge_error or now - at >= COMPARE:
            if host.docker_ok:
                await host.target.check_ports(await self.spec(host))
            await host.edge.load(plan)
            self._loaded[host.name] = (plan, now)
            if host.docker_ok:
                await self._ensure(host)

    async def _ensure(self, host: Host) -> None:
        """It runs, and so does what hands it the calls of other containers; what wants doing is noted."""
        state = await host.target.ensure_edge(await self.spec(host))
        host.edge_note = " · ".join(filter(None, (state.outdated, *state.aliases)))

    async def _bring_up(self, host: Host) -> str:
        """ "" when it runs, else why it does not."""
        try:
            await host.edge.load(edge_plan(self._world.on(host)))
            for placement in self._world.on(host):
                await put_back(self._world, placement.key)
            await self._ensure(host)
        except CockpitError as error:
            return f"{error.message} · {error.hint}" if error.hint else error.message
        return "" if await host.edge.answers() else STARTING

    async def spec(self, host: Host) -> EdgeSpec:
        return edge_spec(self._world.on(host), self._world.settings.edge, await host.edge_place())
