"""What clients are shown of the world: the whole picture when they ask, and each change when it happens."""

from __future__ import annotations

from dataclasses import replace

from cockpit import __version__
from cockpit.config.settings import PlacementSettings
from cockpit.engine import views
from cockpit.engine.configuration import ConfigurationFile
from cockpit.engine.picture import Picture
from cockpit.engine.scene import Scene
from cockpit.engine.shared import Shared
from cockpit.model import EngineStatus, Health, HostStatus, Operation, PlacementKey
from cockpit.protocol import Event, Releases, Snapshot

WEAKER = (  # than a system engine
    "it ends at logout where logind has KillUserProcesses=yes, and after a reboot only the next client starts it",
    "who is not its user cannot use it, and whoever is its user counts as the same person and an admin",
    "its user can rewrite the release log",
    "its user has Docker's group, which is as good as root",
)
NO_HOST = HostStatus("local", "no service runs here", False, None, "no service runs here", False)


class Window:
    def __init__(self, shared: Shared, picture: Picture, configuration: ConfigurationFile) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._hub = shared.hub
        self._rows = shared.rows
        self._picture = picture
        self._configuration = configuration
        self._backlog = shared.backlog
        self._status_sent: EngineStatus | None = None

    async def tell(self) -> None:
        now = self._ports.clock.now()
        for placement in self._world.known.values():
            seen = self._rows.seen(placement.key)
            view = self._picture.placement(placement, seen, now)
            if self._picture.worth_telling(seen, view, now):
                seen.sent, seen.sent_at = view, now
                self._hub.publish(Event(placement=view))
        status = self.status()
        if _without_age(status) != _without_age(self._status_sent):
            self._status_sent = status
            self._hub.publish(Event(engine=status))

    def status(self) -> EngineStatus:
        world, ports = self._world, self._ports
        hosts = tuple(host.status() for host in world.hosts.values() if world.on(host)) or (NO_HOST,)
        docker = min(hosts, key=lambda each: (each.docker_ok, each.docker_seen_at or 0.0))
        edge = min(hosts, key=lambda each: each.edge_ok)
        log_note = ports.store.read_only_reason or self._backlog.reason or ports.store.note
        return EngineStatus(
            version=__version__,
            pid=self._picture.pid,
            started_at=world.started_at,
            docker=docker.docker,
            docker_ok=docker.docker_ok,
            docker_seen_at=docker.docker_seen_at,
            edge=edge.edge,
            edge_ok=edge.edge_ok,
            config_path=str(ports.paths.config),
            state_path=str(ports.paths.state),
            connected=self._hub.names,
            log_note=log_note,
            hosts=hosts,
            config_note=self._configuration.note,
            group=ports.paths.group,
            weaker=() if ports.paths.group else WEAKER,
            freeze=world.locks.freeze,
        )

    def snapshot(self) -> Snapshot:
        now = self._ports.clock.now()
        placements = tuple(
            self._picture.placement(each, self._rows.seen(each.key), now) for each in self._world.known.values()
        )
        return Snapshot(self.status(), placements, self._newest_operations())

    def _newest_operations(self) -> tuple[Operation, ...]:
        running = {key: run.operation for key, run in self._world.runs.items()}
        world = self._world
        newest = {key: world.as_it_is(seen.newest) for key, seen in world.placements.items() if seen.newest}
        return tuple((newest | running).values())

    def releases(self, key: PlacementKey, limit: int) -> Releases:
        seen, now = self._rows.seen(key), self._ports.clock.now()
        running = self._world.running(key)
        return Releases(key, tuple(views.release(each, seen.row.live, running, now) for each in seen.records[:limit]))

    def scene(self, placement: PlacementSettings) -> Scene:
        seen, now = self._rows.seen(placement.key), self._ports.clock.now()
        failing = tuple(
            each.key.service
            for each in self._world.known.values()
            if each.key != placement.key and self._rows.seen(each.key).health is Health.FAILING
        )
        run = self._world.runs.get(placement.key)
        return Scene(
            placement=placement,
            host=self._world.host(placement.key),
            row=seen.row,
            records=seen.records,
            seen=self._picture.placement(placement, seen, now),
            running=self._world.running(placement.key),
            operation=run.operation if run and not run.ended.is_set() else None,
            failing_elsewhere=failing,
            left_at=seen.left_at,
            fetched_at=seen.pending.fetched_at if seen.pending else None,
            configured=self._world.configured(placement.key),
            settings_changed=self._rows.settings_changed(placement),
            now=now,
            locked=self._world.host(placement.key).anothers or self._world.locks.refusal(placement.key),
            overrides=self._world.locks.overrides(placement.key),
            freeze=self._world.locks.freeze,
        )


def _without_age(status: EngineStatus | None) -> EngineStatus | None:
    """When Docker was last seen is told only while it does not answer."""
    if status is None:
        return None
    hosts = tuple(replace(each, docker_seen_at=None) if each.docker_ok else each for each in status.hosts)
    return replace(status, docker_seen_at=None if status.docker_ok else status.docker_seen_at, hosts=hosts)
