"""What concerns a whole host: its other containers, and a new container for its edge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cockpit.engine.api import Handler, Peer
from cockpit.engine.audit import line_of
from cockpit.engine.host import Host
from cockpit.engine.locks import said
from cockpit.engine.shared import Shared
from cockpit.engine.watch import Watch
from cockpit.errors import CockpitError, Refused, UsageError
from cockpit.model import Actor, OtherContainer
from cockpit.protocol import EDGE_UPGRADE, OTHERS, EdgeUpgrade, EdgeUpgradeRequest, Nothing, Others
from cockpit.targets.edge_spec import EdgeSpec

# Measured under load: 2 to 12 of about 550 on kept-alive connections, none on fresh ones; by name 0 of 27 644.
GAP_HOST = "new connections nothing; about one request in a hundred on kept-alive ones may fail; WebSockets reconnect"
GAP_NETWORKS = "who looks its name up, nothing; a proxy that keeps its address, as Traefik does, about a second"


class Hosts:
    def __init__(self, shared: Shared, watch: Watch) -> None:
        self._world = shared.world
        self._audit = shared.audit
        self._clock = shared.ports.clock
        self._watch = watch

    def handlers(self) -> Mapping[str, Handler]:
        return {OTHERS.name: self._others, EDGE_UPGRADE.name: self._upgrade_edge}

    def named(self, name: str) -> Host:
        """ "" is the only one."""
        hosts = self._world.hosts
        if not name and len(hosts) == 1:
            return next(iter(hosts.values()))
        if name not in hosts:
            raise UsageError(f"no host is called “{name}”" if name else "which host?", f"there are: {', '.join(hosts)}")
        return hosts[name]

    async def _others(self, _: Peer, __: Nothing) -> Others:
        hosts = list(self._world.hosts.values())
        answers = await asyncio.gather(*(host.target.others() for host in hosts), return_exceptions=True)
        found, silent = [], []
        for host, answer in zip(hosts, answers, strict=True):
            if isinstance(answer, CockpitError):
                silent.append(host.name)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += [
                    OtherContainer(
                        host.name,
                        each.id,
                        each.name,
                        each.image,
                        each.state,
                        each.status,
                        each.project,
                        each.service,
                        each.ports,
                    )
                    for each in answer
                ]
        return Others(tuple(sorted(found, key=lambda each: (each.host, each.project, each.name))), tuple(silent))

    async def _upgrade_edge(self, peer: Peer, asked: EdgeUpgradeRequest) -> EdgeUpgrade:
        """Looked at first; with `confirmed` done, while no operation runs on that host."""
        await self._watch.reread()  # what was saved a moment ago is what is meant
        host = self.named(asked.host)
        host.must_be_ours()
        spec = await self._watch.edges.spec(host)
        outdated = (await host.target.ensure_edge(spec)).outdated
        gap = GAP_NETWORKS if spec.networks else GAP_HOST
        if not asked.confirmed:
            return EdgeUpgrade(host.name, outdated, gap)
        running = [str(each.key) for each in self._world.on(host) if self._world.busy(each.key)]
        if running:
            raise Refused(f"an operation runs on {', '.join(running)}", "wait for its end, or cancel it first")
        if (freeze := self._world.locks.freeze) is not None:
            raise Refused(f"everything is frozen {said(freeze, self._clock.now())}", "cockpit unfreeze --reason …")
        await self._replace(host, spec, peer.actor, outdated or "nothing was outdated", line_of(asked))
        await self._watch.edges.look()
        return EdgeUpgrade(host.name, outdated, gap, done=True)

    async def _replace(self, host: Host, spec: EdgeSpec, actor: Actor, why: str, cli: str) -> None:
        text, began = f"of {host.name}: {why}", self._clock.monotonic()
        await self._audit.record(self._audit.row(actor, "edge upgrade", "began", text=text, cli=cli))
        await host.target.upgrade_edge(spec)
        seconds = self._clock.monotonic() - began
        await self._audit.record_anyway(self._audit.row(actor, "edge upgrade", "succeeded", text=text, seconds=seconds))
