"""The edge is brought up when it is not there, and otherwise left alone."""

from __future__ import annotations

from cockpit.config.settings import Settings
from cockpit.engine.ports import Ports
from cockpit.engine.views import routes
from cockpit.errors import CockpitError
from cockpit.targets.base import EdgeSpec


async def bring_up_edge(ports: Ports, settings: Settings) -> str:
    """ "" when it runs, else why it does not."""
    try:
        await ports.edge.load(routes(settings))
        await ports.target.ensure_edge(edge_spec(ports, settings))
    except CockpitError as error:
        return f"{error.message} · {error.hint}" if error.hint else error.message
    return "" if await ports.edge.answers() else "started, and does not answer yet"


def edge_spec(ports: Ports, settings: Settings) -> EdgeSpec:
    listens = {placement.environment.edge.listen for placement in settings.placements}
    return EdgeSpec(
        directory=ports.paths.edge,
        image=settings.edge.image,
        ports=tuple(sorted({int(listen.rsplit(":", 1)[1]) for listen in listens})),
    )
