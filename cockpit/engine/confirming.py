"""After the switch, each process that customers reach is asked as they ask: through the edge."""

from __future__ import annotations

from cockpit.engine import spec
from cockpit.engine.run import Run, Skip
from cockpit.engine.spec import ReleaseSpec
from cockpit.errors import Failed, TargetDown
from cockpit.model import Failure, Side

TIMEOUT = 2.0  # seconds for one answer through the public route
TRIES = 3
TLS_TRIES = 100  # a certificate may be on its way
PAUSE = 0.1


async def confirm(run: Run) -> str:
    """Every process that customers reach is asked as a customer asks."""
    release = run.bringing
    frozen = spec.from_text(release.spec)
    acted = await run.host.edge.pointer(run.operation.key)
    if acted is None or acted.release != release.number:
        raise Failed(_not_through(run, f"the edge says {acted.release if acted else 'nothing'}"))
    routed = [name for name in frozen.routed if name in run.placement.service.public]
    if not routed:
        raise Skip("nothing to ask: the configuration has no route to it any more")
    said = [await _confirmed(run, name, frozen) for name in routed]
    return said[0] if len(said) == 1 else f"{len(said)} processes answer through the edge"


async def _confirmed(run: Run, process: str, frozen: ReleaseSpec) -> str:
    release, hosts = run.bringing, run.placement.service.processes[process].hosts
    tls = run.placement.environment.edge.tls if hosts else None
    listen, said = await _public_listener(run, tls=tls is not None), ""
    for _ in range(TRIES if tls is None else TLS_TRIES):
        path = frozen.processes[process].health.path
        name = hosts[0] if hosts else None
        probe = await run.host.prober.public(listen, path, name, TIMEOUT, tls=tls is not None)
        if 200 <= probe.status < 400 and probe.release in ("", release.name):
            return f"{probe.status} through the edge in {probe.ms:.0f} ms"
        said = f"{probe.release} answers" if probe.release else f"it answers {probe.status or probe.error}"
        await run.ports.clock.sleep(PAUSE)
    of = "" if process == spec.WEB else f" for {process}"
    raise Failed(_not_through(run, f"{said} through the edge{of}"))


async def _public_listener(run: Run, *, tls: bool) -> str:
    """Where customers arrive, as the host itself reaches it: in Docker networks the edge has an address of its own."""
    edge = run.placement.environment.edge
    listen = edge.tls.listen if edge.tls is not None and tls else edge.listen
    try:
        address = await run.host.target.edge_address() if edge.networks else ""
    except TargetDown as error:
        raise Skip(f"nobody knows where to ask: {error.message}") from None
    return f"{address}:{listen.rpartition(':')[2]}" if address else listen


def _not_through(run: Run, what: str) -> Failure:
    name = run.bringing.name
    return Failure(
        "confirm",
        Side.INFRASTRUCTURE,
        f"customers are on {name}, and {what}",
        means="the release passed its checks, but not on the way that customers take",
        next="roll back with B; then compare the health path and the host names with the edge's listener",
    )
