"""What was open at a switch and did not finish, through deploys and rollbacks: `python -m bench.long --json`.

Also called `python -m bench.loss --long`. WebSockets, 20 s requests, uploads and event streams are opened before each
switch and go on after it; some WebSockets last from before the first switch to after the last one.
"""

from __future__ import annotations

import time
from collections import Counter

from bench.adoption import images, project
from bench.held import Held
from bench.report import Limit, Result, Say, main
from bench.world import Application, Bench, Service, bench
from cockpit.demo.world import World

ROUNDS = 4  # deploys, and as many rollbacks
SECONDS = 20.0  # that each is open
LASTING, LASTING_SECONDS = Counter(websocket=4), 60.0  # open all the time
EACH = Counter(websocket=8, slow=8, upload=2, events=2)  # opened before each switch
SERVICE = Service(
    "web",
    replicas=2,
    more=('command: ["python3", "-m", "shop.lasting"]', "healthcheck: {interval: 500ms}", "bake: 0"),
)
LIMITS = (
    Limit("cut", "<=", 0),
    Limit("switches", ">=", 2 * ROUNDS),
    Limit("crossed", ">=", 2 * ROUNDS * EACH.total()),
)


def application(world: World) -> Application:
    return Application(project.make({"PYTHON": images.make((images.PYTHON,))["python"]}))


async def measure(say: Say) -> Result:
    async with bench((SERVICE,), ROUNDS + 1, application) as world:
        await world.deploy(SERVICE, 0)
        started = time.monotonic()
        held = Held(world.url(SERVICE))
        crossed = await _rounds(world, held, say)
        await held.finish()
    return {
        "cut": len(held.cut),
        "crossed": crossed,
        "switches": 2 * ROUNDS,
        **Counter(each.kind for each in held.ended),
        "seconds": round(time.monotonic() - started, 1),
        "why": "; ".join(f"{count} × {kind}: {why}" for (kind, why), count in _reasons(held).items()) or None,
    }


async def _rounds(world: Bench, held: Held, say: Say) -> int:
    """How many were open when they were switched away from and still were when the switch had been made."""
    crossed = 0
    await held.hold(LASTING, LASTING_SECONDS)
    for number in range(1, ROUNDS + 1):
        await held.hold(EACH, SECONDS)
        deploy = await world.deploy(SERVICE, number)
        crossed += held.open
        await held.hold(EACH, SECONDS)
        await world.roll_back(SERVICE, deploy.from_release or 0)
        crossed += held.open
        say(f"{number:3} deploys and rollbacks: {crossed} were open at one, {len(held.cut)} cut")
    return crossed


def _reasons(held: Held) -> Counter[tuple[str, str]]:
    return Counter((each.kind, each.why) for each in held.cut)


if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__))
