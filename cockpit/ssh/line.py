"""One system `ssh` to one host, kept up."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

from cockpit import private
from cockpit.clock import Clock
from cockpit.errors import CockpitError, ConfigError, LineDown
from cockpit.ssh import command, words
from cockpit.ssh.address import address
from cockpit.ssh.greeting import Access, Facts, root
from cockpit.ssh.lane import Lane
from cockpit.ssh.session import Session, Unanswered, end_leftover, session, settings
from cockpit.ssh.state import Condition, LineState
from cockpit.ssh.words import Reason
from cockpit.text import age, clean

Changed = Callable[[LineState], None]

FIRST_PAUSE = 0.25  # seconds before the next try; doubled each time, half of it by chance
LONGEST_PAUSE = 10.0
STEADY = 10.0  # seconds: a line that stood so long starts with the shortest pause again
LOOK_AGAIN = 300.0  # seconds, of a line that stopped: rarer than what gets an address banned
LOGIN_AGAIN = 60.0  # seconds, while Docker is closed to the login: a new group is there from the next login on
ANSWER = 5.0  # seconds for a sign of life
SCRIPT = 10.0

SOCKETS = ("docker.sock", "admin.sock", "probe.sock")
EDGE_RUN = "run"  # in the edge's directory: where its sockets are
SOCKET_BYTES = 107  # the kernel's limit of a Unix socket's path
_CONTROL = "ctl"
_CONTROL_MORE = 17  # ssh makes its control socket under a longer name first
_GOES_ON = "It reconnects by itself; what runs there runs on."


class Line:
    """`directory` is for the local sockets of all lines of this engine, and is made private.

    Raises ConfigError for an address that is none, and when the directory's path is too long for a socket."""

    def __init__(
        self, host: str, installation: str, directory: Path, clock: Clock, changed: Changed | None = None
    ) -> None:
        self.host, self.address = host, address(host)
        self.state = LineState(Condition.CONNECTING, clock.now())
        self.sockets = directory / hashlib.sha256(host.encode()).hexdigest()[:8]
        self.facts: Facts | None = None  # of the last time it was up
        self._installation, self._clock, self._changed = installation, clock, changed
        self._control = self.sockets / _CONTROL
        if len(os.fsencode(self._control)) + _CONTROL_MORE > SOCKET_BYTES:
            raise ConfigError(
                f"the path {self.sockets} is too long for a socket", "Set XDG_RUNTIME_DIR to a short one."
            )
        self._session: Session | None = None
        self._reached: dict[str, Path] = {}
        self._lanes: list[Lane] = []
        self._lane = self.lane()
        self._keeping: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._settled = asyncio.Event()

    @property
    def docker_url(self) -> str:
        """For the target and the builder. It is known before the line is up."""
        return f"unix://{self.sockets / SOCKETS[0]}"

    @property
    def admin_socket(self) -> Path:
        """The edge's, on this machine."""
        return self.sockets / SOCKETS[1]

    def start(self) -> None:
        """Begins to connect, and returns."""
        self._keeping = asyncio.create_task(self._keep(), name=f"line to {self.address}")

    async def settled(self, seconds: float) -> LineState:
        """The state once it is up or stopped, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._settled.wait()
        return self.state

    def known_edge(self) -> PurePosixPath:
        """On the host: `~/.local/state/deploy-cockpit/INSTALLATION/edge` of the login user. Raises LineDown."""
        return self._known().edge

    def known_owner(self) -> int:
        """The login user's id on the host: the edge's directory is theirs. Raises LineDown."""
        return self._known().uid

    def lane(self, first: str = ":") -> Lane:
        """A shell of one's own, in the installation's directory; `first` runs whenever it is opened anew."""
        made = Lane(self._opened, f"cd && cd {root(self._installation)} && {first}")
        self._lanes.append(made)
        return made

    async def run(self, script: str, *, given: bytes = b"", timeout: float = SCRIPT) -> bytes:
        """What a line of POSIX shell printed on the host. Raises LineDown, TimeoutError, ScriptFailed."""
        return await self._lane.run(script, given=given, timeout=timeout)

    async def answers(self) -> bool:
        """Whether the host answers now: after a silence, says whose it was."""
        return self._session is not None and await self._session.pulse(ANSWER)

    async def reach(self, target: str) -> Path:
        """A local socket that leads to "127.0.0.1:8100" as the host sees it. Raises LineDown."""
        connection = self._session
        if connection is not None and target not in self._reached:
            way = self.sockets / f"{hashlib.sha256(target.encode()).hexdigest()[:8]}.tcp"
            done = await connection.forward((way, target))
            if self._session is connection and not done:
                hint = "See AllowTcpForwarding in its sshd_config."
                raise LineDown(f"{self.address} does not forward to {target}", hint)
            if self._session is connection:
                self._reached[target] = way
        if connection is None or self._session is not connection:
            raise self._down()
        return self._reached[target]

    async def excuse(self) -> LineDown | None:
        """Why nobody heard anything from Docker there; None when the line is not the reason."""
        if not self.state.up or not await self.answers():
            return self._down()
        return LineDown(self.state.why, self.state.hint) if self.state.why else None

    def try_now(self) -> None:
        """Ends a pause before the next try, also of a line that stopped."""
        self._hurry.set()

    async def close(self) -> None:
        """Ends ssh. What runs on the host runs on."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        await self._end_lanes()

    # ------------------------------------------------------------ kept up

    async def _keep(self) -> None:
        try:
            await asyncio.to_thread(private.check, self.sockets.parents[1])
            await asyncio.to_thread(private.make, self.sockets.parent)
            await asyncio.to_thread(private.make, self.sockets)
        except CockpitError as error:
            self._tell(LineState(Condition.STOPPED, self._clock.now(), error.message, error.hint))
            return
        pause = FIRST_PAUSE
        while True:
            self._hurry.clear()
            began = self._clock.monotonic()
            reason = await self._once()
            if self._clock.monotonic() - began > STEADY:
                pause = FIRST_PAUSE
            self._ended(reason)
            await self._wait(LOOK_AGAIN if reason.stop else pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _once(self) -> Reason:
        """One connection, to its end."""
        try:
            known = await settings(self.address, command.environment(os.environ, agent=False))
            environment = command.environment(os.environ, agent="identityagent" in known)
            await end_leftover(self._control, environment)
            async with session(self.address, self._control, environment) as connection:
                return await self._live(connection, known)
        except FileNotFoundError:
            return words.no_ssh()
        except OSError as error:  # no more processes, no more files
            return Reason(f"ssh cannot be started: {error.strerror}")

    async def _live(self, connection: Session, known: dict[str, str]) -> Reason:
        try:
            await connection.greet(self._installation, self.address.socket)
        except Unanswered as silence:
            if silence.inside:
                return words.no_shell(self.address, connection.said)
            return words.ended(connection.said, self.address, known, was_up=self.facts is not None)
        facts = connection.facts
        ways = self._ways(facts)
        if any(len(os.fsencode(there)) > SOCKET_BYTES for _, there in ways):
            return words.too_deep(self.address, facts.edge)
        if not await connection.forward(*ways):
            return Reason(f"ssh cannot forward sockets: {clean(connection.said[-200:])}")
        problem = await self._problem(connection, facts)
        if problem is not None and problem.stop:
            return problem
        self._session, self.facts, self._reached = connection, facts, {}
        self._tell(LineState(Condition.UP, self._clock.now(), *((problem.why, problem.hint) if problem else ())))
        try:
            async with asyncio.timeout(LOGIN_AGAIN if problem else None):
                await connection.lasts()
        except TimeoutError:
            self._hurry.set()
            return Reason(self.state.why, self.state.hint)
        finally:
            self._session = None
            await self._end_lanes()
        return words.ended(connection.said, self.address, known, was_up=True)

    def _ways(self, facts: Facts) -> list[tuple[Path, str]]:
        there = (facts.docker, *(str(facts.edge / EDGE_RUN / name) for name in SOCKETS[1:]))
        return list(zip((self.sockets / name for name in SOCKETS), there, strict=True))

    async def _problem(self, connection: Session, facts: Facts) -> Reason | None:
        """None when Docker can be asked, or is merely not there."""
        if facts.access is Access.CLOSED:
            return words.no_docker(self.address, facts.docker, facts.user, facts.group)
        opens = await connection.opens(self.sockets / SOCKETS[0])
        forbidden = facts.listens and not opens and "open failed" in connection.said  # older sshd say no more than that
        return words.no_forwarding(self.address) if forbidden else None

    def _ended(self, reason: Reason) -> None:
        """A line that stopped stays stopped, and one that was lost stays lost since then, whatever the tries say."""
        if reason.stop:
            condition = Condition.STOPPED
        elif self.state.condition is Condition.STOPPED and self.facts is None:
            condition = Condition.CONNECTING
        else:
            condition = Condition.LOST if self.facts else Condition.CONNECTING
        same = condition is self.state.condition
        since = self.state.since if same else self._clock.now()
        self._tell(LineState(condition, since, reason.why, reason.hint))

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    def _tell(self, state: LineState) -> None:
        before, self.state = self.state, state
        (self._settled.set if state.condition in (Condition.UP, Condition.STOPPED) else self._settled.clear)()
        if self._changed is not None and before != state:
            self._changed(state)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Process]:
        if self._session is None:
            raise self._down()
        async with self._session.lane() as ssh:
            yield ssh

    async def _end_lanes(self) -> None:
        await asyncio.gather(*(each.end() for each in self._lanes))

    def _known(self) -> Facts:
        if self.facts is None:
            raise self._down()
        return self.facts

    def _down(self) -> LineDown:
        state = self.state
        if state.condition is Condition.STOPPED:
            return LineDown(state.why, state.hint)
        if state.condition is Condition.UP:
            return LineDown(f"the line to {self.address} is silent", _GOES_ON)
        told = f": {state.why}" if state.why else ""
        for_ = age(self._clock.now() - state.since)
        return LineDown(f"the line to {self.address} is down for {for_}{told}", _GOES_ON)
