"""Where a release answers before, or beside, what customers see. Pure."""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit

from cockpit.engine import spec
from cockpit.engine.scene import Scene
from cockpit.errors import Refused, UsageError
from cockpit.model import Replica
from cockpit.protocol import ProbeAddress

NEAR = 8100  # the port of a laptop in the example


def probe_address(scene: Scene, wanted: int | None) -> ProbeAddress:
    """Of the newest release that runs, or of the one wanted. Raises Refused, UsageError."""
    answering = [each for each in scene.seen.replicas if each.running and each.address]
    number = wanted if wanted is not None else max((each.release for each in answering), default=None)
    record = next((each for each in scene.records if each.number == number), None)
    if number is not None and record is None:
        raise UsageError(f"{scene.placement.key} has no release r{number}", "cockpit status shows which run")
    mine = [each for each in answering if each.release == number]
    if record is None or not mine:
        what = f"r{number} does not run" if number is not None else "nothing runs here that has a port"
        raise Refused(what, "deploy it, or choose a release that is live or hot")
    frozen = spec.from_text(record.spec)
    main = next((each for each in mine if each.process == frozen.main), mine[0])
    hosts = frozen.processes[main.process].hosts
    return ProbeAddress(
        release=scene.release(record),
        url=f"http://{main.address}/",
        host=hosts[0] if hosts else "",
        commands=_commands(scene, main, hosts[0] if hosts else "", frozen.processes[main.process].health.path),
        public=scene.seen.url,
        note=_note(scene, record.number),
    )


def _commands(scene: Scene, replica: Replica, host: str, path: str) -> tuple[str, ...]:
    """As behind TLS, so that an application which insists on it answers. Names of hosts need no quotes of their own."""
    name = f' -H "Host: {host}"' if host else ""
    curl = f'curl -i -H "X-Forwarded-Proto: https"{name} http://{replica.address}{path}'
    tunnel = f"ssh -N -L {NEAR}:{replica.address}"
    far = urlsplit(scene.placement.environment.host)
    if far.scheme != "ssh":
        return curl, f"{tunnel} THIS-HOST"
    way = f"-p {far.port} " if far.port else ""
    way += f"{far.username}@{far.hostname}" if far.username else str(far.hostname)
    return f"ssh {way} {shlex.quote(curl)}", f"{tunnel} {way}"


def _note(scene: Scene, number: int) -> str:
    if number != scene.row.live:
        return f"customers are on r{scene.row.live}" if scene.row.live else "customers are not on it"
    return "it is live: whatever is sent to the edge reaches it"
