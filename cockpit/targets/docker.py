"""Docker as a target: containers with fixed addresses on the cockpit's own network of one host."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from cockpit.clock import Clock
from cockpit.errors import TargetError
from cockpit.model import PlacementKey
from cockpit.targets import images, labels, locks, records, removal
from cockpit.targets.base import Claim, Container, HostInfo, OneOff, OtherContainer, RawLine, Remembered, Standing
from cockpit.targets.cleanups import Cleanups
from cockpit.targets.creation import environment, has_terminal
from cockpit.targets.daemon import QUICK, Daemon, Excuse, reached
from cockpit.targets.edge_spec import EdgeSpec, EdgeState
from cockpit.targets.host_info import host_info
from cockpit.targets.host_lock import HostLock, LockOrder
from cockpit.targets.joined import missing_networks
from cockpit.targets.listeners import container_listeners
from cockpit.targets.network import ensure_network
from cockpit.targets.observing import Observing, listed
from cockpit.targets.options import whole_seconds
from cockpit.targets.orders import ContainerSpec, RunOrder, StartOrder
from cockpit.targets.others import others
from cockpit.targets.ports import PortOwners
from cockpit.targets.ports import listeners as local_port_owners
from cockpit.targets.removal import set_restart_policy
from cockpit.targets.replicas import Replica, Started, replica_addresses, start_replica, take_back
from cockpit.targets.running import OneOffs
from cockpit.targets.streams import log_lines
from cockpit.targets.subnet import Subnet
from cockpit.targets.terminals import create_terminal

if TYPE_CHECKING:
    from docker import DockerClient

PING = 5.0  # seconds
_STOP_REQUEST = 30.0  # seconds beyond the grace
_REMOVAL_DEADLINE = 300.0  # seconds
_EDGE_DEADLINE = 180.0  # seconds: its image may have to be built


class DockerTarget:
    """The `Target` of one Docker host: `local` (DOCKER_HOST or the default socket) or `unix:///path`.

    Raises ConfigError for a host that is no Unix socket. `subnet` is used when the network is created, and only then.
    """

    def __init__(
        self,
        host: str,
        installation: str,
        *,
        subnet: str | None,
        clock: Clock,
        port_owners: PortOwners = local_port_owners,
        excuse: Excuse = reached,
    ) -> None:
        self.installation = installation
        self._daemon = Daemon(host, excuse)
        self._wanted_subnet = subnet
        self._port_owners = port_owners
        self._subnet: Subnet | None = None
        self._clock = clock
        self._observing = Observing(self._daemon, installation)
        self._cleanups = Cleanups()
        follow = partial(self.logs, follow=True)
        self._one_offs = OneOffs(self._daemon, installation, follow, self._cleanups, clock)

    async def ping(self) -> HostInfo:
        return await self._daemon.call("describe itself", host_info, deadline=PING)

    async def prepare(self) -> Subnet:
        work = partial(ensure_network, installation=self.installation, subnet=self._wanted_subnet)
        self._subnet = await self._daemon.labour("create the cockpit's network", work)
        return self._subnet

    async def ensure_edge(self, spec: EdgeSpec) -> EdgeState:
        from cockpit.targets.edge_host import ensure_edge

        work = partial(ensure_edge, installation=self.installation, spec=spec, who=self._port_owners)
        return await self._daemon.labour("start the edge", work, deadline=_EDGE_DEADLINE)

    async def check_ports(self, spec: EdgeSpec) -> None:
        from cockpit.targets.edge_host import check_ports

        work = partial(check_ports, installation=self.installation, spec=spec, who=self._port_owners)
        await self._daemon.labour("look who has the edge's ports", work)

    async def edge_address(self) -> str:
        from cockpit.targets.edge_host import edge_address

        return await self._daemon.call("inspect the edge", partial(edge_address, installation=self.installation))

    async def edge_image_made(self) -> float | None:
        from cockpit.targets.edge_host import edge_image_made

        return await self._daemon.call("inspect the edge", partial(edge_image_made, installation=self.installation))

    async def upgrade_edge(self, spec: EdgeSpec) -> None:
        from cockpit.targets.edge_host import upgrade_edge

        work = partial(upgrade_edge, installation=self.installation, spec=spec, who=self._port_owners)
        await self._daemon.labour("upgrade the edge", work, deadline=_EDGE_DEADLINE)

    async def observe(self) -> tuple[Container, ...]:
        return await self._observing.look()

    async def others(self) -> tuple[OtherContainer, ...]:
        return others(await listed(self._daemon, {}), self.installation)

    async def missing(self, spec: ContainerSpec) -> tuple[str, ...]:
        return await self._daemon.call("look for networks", partial(missing_networks, names=spec.networks))

    async def start(self, order: StartOrder) -> tuple[Container, ...]:
        subnet = self._subnet or await self.prepare()
        abandoned = threading.Event()
        network = labels.network_name(self.installation)
        replicas = [
            Replica(self.installation, network, order, index, address, abandoned)
            for index, address in enumerate(replica_addresses(subnet, order), start=1)
        ]
        jobs = [asyncio.ensure_future(self._start(replica)) for replica in replicas]
        try:
            started = await asyncio.gather(*map(asyncio.shield, jobs))
        except (TargetError, asyncio.CancelledError):
            abandoned.set()
            self._subnet = None  # the network may be what is missing: ask for it again next time
            await self._cleanups.finish(self._take_back(jobs, order))
            raise
        return tuple(each.container for each in started)

    async def activate(
        self,
        key: PlacementKey,
        release: int,
        standing: Standing,
        *,
        process: str | None = None,
        slot: int | None = None,
    ) -> None:
        found = await self._ids(key, release, process, slot)
        if standing is not Standing.OFF and not found:
            raise TargetError(f"{key} r{release} has no containers on the host", "Deploy it again.")
        policy = partial(set_restart_policy, policy=standing.value)
        doing = f"set the restart policy of {key} r{release}"
        await asyncio.gather(*(self._daemon.call(doing, partial(policy, identifier=each)) for each in found))
        for each in found:
            self._observing.forget(each)  # its status text does not tell of it

    async def stop(
        self,
        key: PlacementKey,
        release: int,
        *,
        grace: float,
        remove: bool,
        process: str | None = None,
        slot: int | None = None,
    ) -> None:
        found = await self._ids(key, release, process, slot)
        work = partial(removal.stop, grace=whole_seconds(grace), remove=remove)
        await asyncio.gather(
            *(self._stopping(f"stop {key} r{release}", partial(work, identifier=each), grace) for each in found)
        )
        if remove and process is None and slot is None:
            await self._one_offs.remove_ended(key, release)

    async def run(self, order: RunOrder, emit: Callable[[RawLine], None]) -> int:
        if self._subnet is None:
            await self.prepare()
        try:
            return await self._one_offs.run(order, emit)
        except TargetError:
            self._subnet = None  # the network may be what is missing: ask for it again next time
            raise

    async def one_offs(self, key: PlacementKey, release: int) -> tuple[OneOff, ...]:
        return await self._one_offs.found(key, release)

    async def remove_one_offs(self, key: PlacementKey, release: int) -> None:
        await self._one_offs.remove(key, release)

    async def logs(
        self, container: str, *, tail: int | None = None, since: float | None = None, follow: bool = False
    ) -> AsyncIterator[RawLine]:
        version = await self._daemon.version()
        ours = container in self._observing  # and has no terminal
        terminal = not ours and await self._daemon.call("inspect a container", partial(has_terminal, name=container))
        log = log_lines(
            self._daemon.socket,
            version,
            container,
            tail=tail,
            since=since,
            follow=follow,
            terminal=terminal,
            now=self._clock.now(),
            deadline=QUICK,
        )
        async with aclosing(log) as lines:
            async for line in lines:
                yield line

    async def create_terminal(self, order: RunOrder, *, tty: bool) -> str:
        await self.prepare()
        work = partial(
            create_terminal,
            installation=self.installation,
            network=labels.network_name(self.installation),
            order=order,
            tty=tty,
        )
        return await self._daemon.labour(f"make a terminal for {order.key}", work)

    async def remove_terminal(self, name: str) -> None:
        await self._daemon.labour(f"remove {name}", partial(removal.remove_container, identifier=name))

    async def has_image(self, image: str) -> bool:
        return await self._daemon.call(f"look for {image}", partial(images.has_image, image=image))

    async def remove_image(self, image: str) -> None:
        """An image without this installation's label is left alone too."""
        work = partial(images.remove_image, installation=self.installation, image=image)
        await self._daemon.labour(f"remove {image}", work)

    async def remember(self, key: PlacementKey, release: int, text: str) -> None:
        work = partial(records.remember, installation=self.installation, key=key, release=release, text=text)
        await self._daemon.call(f"remember {key} r{release}", work)

    async def remembered(self) -> tuple[Remembered, ...]:
        work = partial(records.remembered, installation=self.installation)
        return await self._daemon.call("list what it remembers", work)

    async def forget(self, key: PlacementKey, release: int) -> None:
        work = partial(records.forget, installation=self.installation, key=key, release=release)
        await self._daemon.call(f"forget {key} r{release}", work)

    async def claim(self, claim: Claim) -> None:
        await self._daemon.call("note whose it is", partial(records.claim, mine=claim))

    async def claims(self) -> tuple[Claim, ...]:
        return await self._daemon.call("tell whose it is", records.claims)

    async def environment(self, container: str) -> dict[str, str]:
        return await self._daemon.call("inspect a container", partial(environment, name=container))

    async def listeners(self, container: str) -> tuple[str, ...]:
        return await self._daemon.call("inspect a container", partial(container_listeners, container=container))

    async def take_lock(self, order: LockOrder) -> HostLock | None:
        work = partial(locks.take, installation=self.installation, order=order)
        return await self._daemon.call(f"lock {order.key}", work)

    async def lock_of(self, key: PlacementKey) -> HostLock | None:
        work = partial(locks.find, installation=self.installation, key=key)
        return await self._daemon.call(f"look who has {key}", work)

    async def locks(self) -> tuple[HostLock, ...]:
        return await self._daemon.call("list locks", partial(locks.every, installation=self.installation))

    async def beat_lock(self, lock: HostLock, beats: int) -> bool:
        work = partial(locks.beat, identifier=lock.id, beats=beats)
        return await self._daemon.call(f"keep {lock.order.key} locked", work)

    async def release_lock(self, lock: HostLock) -> None:
        await self._daemon.call(f"unlock {lock.order.key}", partial(locks.release, identifier=lock.id))

    async def remove_all(self) -> None:
        """Every container, network and image of this installation and its edge; nothing else, and no volume."""
        work = partial(removal.remove_all, installation=self.installation)
        await self._daemon.labour("remove the installation", work, deadline=_REMOVAL_DEADLINE)
        self._subnet = None

    async def close(self) -> None:
        await self._cleanups.settled()
        self._daemon.close()

    async def _start(self, replica: Replica) -> Started:
        doing = f"start {replica.order.key} r{replica.order.release}"
        return await self._daemon.labour(doing, partial(start_replica, replica=replica))

    async def _take_back(self, jobs: list[asyncio.Task[Started]], order: StartOrder) -> None:
        """A job that fails took its own back; those that came through are undone here."""
        await asyncio.wait(jobs)
        done = [job.result() for job in jobs if not job.cancelled() and job.exception() is None]
        undo = [partial(take_back, identifier=each.id, origin=each.origin, order=order) for each in done]
        grace = order.spec.stop_grace
        await asyncio.gather(
            *(self._stopping("take a start back", each, grace) for each in undo), return_exceptions=True
        )

    async def _stopping(self, doing: str, work: Callable[[DockerClient], None], grace: float) -> None:
        """The SDK adds the grace to the time-out of its request."""
        await self._daemon.labour(doing, work, request=_STOP_REQUEST, deadline=grace + 3 * _STOP_REQUEST)

    async def _ids(self, key: PlacementKey, release: int, process: str | None, slot: int | None) -> list[str]:
        found = await listed(self._daemon, labels.release_of(self.installation, key, release))
        return [each["Id"] for each in found if labels.is_replica(each["Labels"], process, slot)]
