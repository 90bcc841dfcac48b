"""A placement as clients see it, put together from rows, containers, probes and traffic."""

from __future__ import annotations

import os
from dataclasses import replace

from cockpit.config.settings import PlacementSettings
from cockpit.engine import plan, spec, views
from cockpit.engine.exclusion import elsewhere
from cockpit.engine.host import Host
from cockpit.engine.world import Seen, World
from cockpit.health import state
from cockpit.health.samples import Samples
from cockpit.model import Elsewhere, Health, Placement, PlacementKey, ProcessState, Replica, Traffic
from cockpit.store.base import ReleaseRecord
from cockpit.targets.host_lock import Holder

VOLATILE = 5.0  # seconds between tellings of what changes all the time: latencies, ages
BINS = 8  # of a minute each, in a trend


class Picture:
    def __init__(self, world: World, samples: Samples, me: Holder) -> None:
        self._world = world
        self._samples = samples
        self._me = me
        self.pid = os.getpid()

    def placement(self, placement: PlacementSettings, seen: Seen, now: float) -> Placement:
        """Also remembers since when the placement has been in the state that it is in."""
        key, world = placement.key, self._world
        host = world.host(key)
        replicas = world.replicas(key)
        running = world.running(key)
        live = seen.live
        traffic = self._samples.traffic(key, now, (live.live_since if live else None) or 0.0)
        serving = world.serving(key)
        processes = _processes(live, serving)
        health, why = _with_all(processes, *self._judge(seen, serving, traffic, now))
        _remember(seen, health, why, now)
        default = plan.rollback_default(seen.records, seen.row.live)
        run, pending = world.runs.get(key), seen.pending
        return Placement(
            key=key,
            health=health,
            protected=placement.environment.protected,
            since=seen.since,
            why=why,
            live=views.release(live, seen.row.live, running, now) if live else None,
            last_good=default.number if default else None,
            pending_count=pending.count if pending else 0,
            pending_note=pending.note if pending else "",
            oldest_pending_at=pending.oldest_at if pending else None,
            replicas=replicas,
            traffic=traffic,
            trend=self._samples.trend(key, now, BINS),
            operation=run.operation.id if run and not run.ended.is_set() else None,
            hold=seen.row.hold,
            hosts=placement.service.main.hosts,
            url=_url(placement),
            seen_at=now if host.docker_ok else host.docker_seen_at,
            processes=processes,
            host=host.name,
            configured=world.configured(key),
            auto=seen.auto,
            lock=world.locks.of(key),
            elsewhere=self._elsewhere(host, key),
        )

    def _elsewhere(self, host: Host, key: PlacementKey) -> Elsewhere | None:
        if (lock := elsewhere(host, key, self._me)) is None:
            return None
        order = lock.order
        return Elsewhere(order.by, order.holder.bastion, order.kind, order.since, lock.short)

    def _judge(self, seen: Seen, serving: tuple[Replica, ...], traffic: Traffic, now: float) -> tuple[Health, str]:
        """What customers reach is what counts; in a release without any, all of it."""
        mine = tuple(each for each in serving if each.address) or serving
        heard = [each.probed_at for each in mine if each.probed_at is not None]
        docker_seen_at = self._world.host(seen.row.key).docker_seen_at
        if docker_seen_at is not None:
            heard.append(docker_seen_at)
        return state.judge(
            state.Reading(
                now=now,
                live=seen.row.live,
                replicas=mine,
                traffic=traffic,
                usual_p95_ms=self._samples.usual_p95(seen.row.key, now),
                heard_at=max(heard, default=None),
            )
        )

    def worth_telling(self, seen: Seen, view: Placement, now: float) -> bool:
        if seen.sent is None or _still(view) != _still(seen.sent):
            return True
        return view != seen.sent and now - seen.sent_at >= VOLATILE


def _remember(seen: Seen, health: Health, why: str, now: float) -> None:
    if health is not seen.health:
        seen.health, seen.since = health, now
    if health is Health.FAILING:
        seen.failing_since = now
    seen.why = why


def _still(view: Placement) -> Placement:
    """Without what changes at every look."""
    replicas = tuple(replace(each, latency_ms=None, probed_at=None) for each in view.replicas)
    live = replace(view.live, served_seconds=0.0) if view.live else None
    traffic = replace(view.traffic, per_second=0.0, p95_ms=None, requests=0)
    return replace(view, replicas=replicas, live=live, traffic=traffic, trend=None, seen_at=None)  # type: ignore[arg-type]  # only compared


def _with_all(processes: tuple[ProcessState, ...], health: Health, why: str) -> tuple[Health, str]:
    """Customers do not notice a worker that is missing; whoever is on call should."""
    short = next((each for each in processes if not each.routed and each.running < each.wanted), None)
    if health is not Health.HEALTHY or short is None:
        return health, why
    return Health.DEGRADED, f"{short.name}: {short.why}"


def _processes(live: ReleaseRecord | None, serving: tuple[Replica, ...]) -> tuple[ProcessState, ...]:
    """Each process of the live release, and what is wrong with those of its replicas that do not run."""
    if live is None:
        return ()
    frozen, found = spec.from_text(live.spec), []
    for name, process in frozen.processes.items():
        mine = [each for each in serving if each.process == name]
        running = sum(each.running for each in mine)
        said = dict.fromkeys(each.error for each in mine if not each.running and each.error)
        why = "" if running >= process.replicas else ", ".join(said) or "no container"
        found.append(ProcessState(name, process.replicas, running, process.port is not None, why))
    return tuple(found)


def _url(placement: PlacementSettings) -> str:
    """As far as it is known: in Docker networks the proxy in front has the port."""
    edge, hosts = placement.environment.edge, placement.service.main.hosts
    if not placement.service.routed or (not hosts and (edge.networks or placement.environment.host != "local")):
        return ""
    if edge.networks:
        return f"http://{hosts[0]}"
    scheme, usual, listen = ("https", "443", edge.tls.listen) if edge.tls and hosts else ("http", "80", edge.listen)
    address, _, port = listen.rpartition(":")
    name = hosts[0] if hosts else address or "127.0.0.1"
    return f"{scheme}://{name}" if port == usual else f"{scheme}://{name}:{port}"
