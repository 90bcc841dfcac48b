"""First useful paint with a running engine and 50 placements, against a bare Textual application; and `cockpit status`.

Useful means: the first placement's name is on the screen. `python -m bench.startup --json`
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.report import Limit, Result, Say, main, median
from bench.screen import first_seen
from bench.world import Bench, Service, bench
from cockpit.errors import CockpitError

PLACEMENTS = 50
SIDE_BY_SIDE = 5  # first deploys
RUNS = 9  # of each, taking turns
SERVICES = tuple(
    Service(f"s{number:02}", more=("healthcheck: {interval: 500ms, retries: 1}", "bake: 0", "keep_hot: 0"))
    for number in range(PLACEMENTS)
)
LIMITS = (Limit("ratio", "<=", 1.5), Limit("status_s", "<=", 0.25))


async def measure(say: Say) -> Result:
    async with bench(SERVICES, 2) as world:
        await _deploy_all(world, say)
        return await asyncio.to_thread(_compare, world, say)


async def _deploy_all(world: Bench, say: Say) -> None:
    turns = asyncio.Semaphore(SIDE_BY_SIDE)

    async def deploy(service: Service) -> None:
        async with turns:
            await world.deploy(service, 0)

    started = time.monotonic()
    ends = await asyncio.gather(*map(deploy, SERVICES), return_exceptions=True)
    for end in ends:
        if end is not None:
            raise end
    say(f"{PLACEMENTS} placements deployed in {time.monotonic() - started:.0f} s")


def _compare(world: Bench, say: Say) -> Result:
    environment = _environment(world)
    cockpit = (sys.executable, "-m", "cockpit.cli.main")
    bare = (sys.executable, "-m", "bench.bare")
    ours, theirs, status = [], [], []
    for _ in range(RUNS):
        theirs.append(first_seen(bare, "s00-bare", environment))
        ours.append(first_seen(cockpit, SERVICES[0].name, environment))
        status.append(_status((*cockpit, "status"), environment))
        say(f"bare {theirs[-1]:.2f} s, cockpit {ours[-1]:.2f} s, status {status[-1]:.2f} s")
    cockpit_s, bare_s = median(ours, 3) or 0.0, median(theirs, 3) or 1.0
    return {
        "cockpit_s": cockpit_s,
        "bare_s": bare_s,
        "ratio": round(cockpit_s / bare_s, 2),
        "status_s": median(status, 3),
        "placements": PLACEMENTS,
        "runs": RUNS,
    }


def _environment(world: Bench) -> Mapping[str, str]:
    paths = world.world.paths
    here = str(Path(__file__).parent.parent)
    chosen = {"COCKPIT_CONFIG": str(paths.config), "COCKPIT_STATE": str(paths.state), "PYTHONPATH": here}
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    unlike_installed = ("SSH_", "COCKPIT_", "PYTHONDONTWRITEBYTECODE")  # an installed package is compiled
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unlike_installed)}
    return {**kept, **chosen, **terminal}


def _status(command: Sequence[str], environment: Mapping[str, str]) -> float:
    started = time.monotonic()
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode != 0 or SERVICES[0].name not in done.stdout:
        raise CockpitError(f"cockpit status ended with {done.returncode}: {done.stderr.strip()}")
    return time.monotonic() - started


if __name__ == "__main__":
    raise SystemExit(main(measure, LIMITS, __doc__))
