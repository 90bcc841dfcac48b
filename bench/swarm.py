"""`docker service rollback` under load, on a private Swarm: what the cockpit's rollback is held against.

The service is as a careful operator runs it: a health check, and a proxy in front that asks for the tasks' addresses
ten times a second and tries again elsewhere.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.daemon import Daemon
from bench.report import Say
from cockpit.demo import runtime
from cockpit.demo.repo import Shop
from cockpit.demo.tally import Outcome
from cockpit.errors import TargetError

SETTLED = 60.0  # seconds for an update to be done
EDGE = "http://127.0.0.1:8200/echo"
_PROXY = """{
	admin off
	auto_https off
	persist_config off
}
:8000 {
	reverse_proxy {
		dynamic a {
			name tasks.app
			port 8000
			refresh 100ms
			resolvers 127.0.0.11
		}
		lb_try_duration 5s
		lb_try_interval 50ms
		fail_duration 2s
		transport http {
			dial_timeout 250ms
		}
	}
}
"""


@dataclass(frozen=True, slots=True)
class Rolled:
    """Milliseconds from the call: to the first answer of the old release, and to the last one of the new."""

    first_ms: float
    last_ms: float
    lost: int


class Watched:
    """The answers of a witness in the Swarm's network, read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.answers: list[tuple[float, str, str]] = []  # when, release, outcome
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            at, release, _, outcome = line.split()
            self.answers.append((float(at), release, outcome))

    def since(self, moment: float) -> list[tuple[float, str, str]]:
        return [each for each in self.answers if each[0] >= moment]


def measure(daemon: Daemon, order: str, rounds: int, rate: float, say: Say) -> list[Rolled]:
    """`order` is "start-first", or "" for Swarm's default."""
    _service(daemon, order)
    try:
        with _watched(daemon, rate) as watched:
            return [_one(daemon, watched, order or "default", say) for _ in range(rounds)]
    finally:
        daemon.docker("service", "rm", "app")
        _until(lambda: not daemon.docker("ps", "--quiet", "--filter", "name=app."), "the service is gone")


def prepare(daemon: Daemon, shop: Shop) -> None:
    """The image, the network, and the proxy at `EDGE`."""
    image = runtime.build("swarm", daemon.url)
    archive = subprocess.run(
        ["git", "-C", str(shop.path), "archive", f"{shop['c0']}:web"], capture_output=True, check=True
    ).stdout
    daemon.docker("build", "--quiet", "--build-arg", f"RUNTIME={image}", "--tag", "app:1", "-", stdin=archive)
    daemon.docker("network", "create", "--driver", "overlay", "--attachable", "shop")
    (daemon.directory / "Caddyfile").write_text(_PROXY)
    mounted = f"{daemon.directory}/Caddyfile:/Caddyfile:ro"
    command = ("caddy", "run", "--config", "/Caddyfile", "--adapter", "caddyfile")
    daemon.docker(
        "run", "--detach", "--name", "edge", "--network", "shop", "--publish", "127.0.0.1:8200:8000",
        "--volume", mounted, "--env", "XDG_DATA_HOME=/tmp", image, *command,
    )  # fmt: skip


def _service(daemon: Daemon, order: str) -> None:
    orders = ("--update-order", order, "--rollback-order", order) if order else ()
    daemon.docker(
        "service", "create", "--name", "app", "--replicas", "2", "--network", "shop", "--endpoint-mode", "dnsrr",
        "--no-resolve-image", "--env", "COCKPIT_RELEASE=r1", *orders,
        "--health-cmd", "wget -q -O /dev/null http://127.0.0.1:8000/up", "--health-interval", "1s",
        "--health-retries", "3", "--health-start-period", "10s", "app:1",
    )  # fmt: skip


def _one(daemon: Daemon, watched: Watched, order: str, say: Say) -> Rolled:
    daemon.docker("service", "update", "--env-add", "COCKPIT_RELEASE=r2", "--no-resolve-image", "app")
    _only(watched, "r2")
    called = time.monotonic()
    daemon.docker("service", "rollback", "app")
    _only(watched, "r1")
    answers = watched.since(called)
    first = next(at for at, release, _ in answers if release == "r1")
    last = max((at for at, release, _ in answers if release == "r2"), default=called)
    lost = sum(outcome == Outcome.LOST.value for _, _, outcome in answers)
    rolled = Rolled((first - called) * 1000, (last - called) * 1000, lost)
    say(f"swarm, {order}: first answer {rolled.first_ms:.0f} ms, done {rolled.last_ms:.0f} ms, {lost} lost")
    return rolled


def _only(watched: Watched, release: str) -> None:
    """Customers see that release and no other, for a second."""

    def settled() -> bool:
        seen = {name for _, name, _ in watched.since(time.monotonic() - 1.0)}
        return seen == {release}

    _until(settled, f"customers see only {release}")


@contextmanager
def _watched(daemon: Daemon, rate: float) -> Iterator[Watched]:
    process = subprocess.Popen(
        [*daemon.inside, sys.executable, "-m", "bench.witness", EDGE, str(rate)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    try:
        watched = Watched(process)
        _only(watched, "r1")
        yield watched
    finally:
        process.terminate()
        process.wait()


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SETTLED
    while not condition():
        if time.monotonic() > deadline:
            raise TargetError(f"not within {SETTLED:g} s: {what}")
        time.sleep(0.05)
