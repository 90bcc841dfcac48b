"""A command in a live release, run by who asked on a terminal of their own: chosen, recorded, cleaned up after here."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from cockpit.engine import spec
from cockpit.engine.api import Handler, Peer
from cockpit.engine.audit import line_of
from cockpit.engine.host import Host
from cockpit.engine.shared import Shared
from cockpit.engine.starting import Values, one_off
from cockpit.engine.watch import Watch
from cockpit.errors import CockpitError, Refused, UsageError
from cockpit.model import Actor, PlacementKey
from cockpit.protocol import EXEC, EXEC_ENDED, Done, ExecEnded, ExecRequest, ExecTicket
from cockpit.store.base import ReleaseRecord
from cockpit.targets.base import Container
from cockpit.text import clean

SHELL = ("sh",)


@dataclass(frozen=True, slots=True)
class _Begun:
    key: PlacementKey
    host: Host
    actor: Actor
    words: str
    at: float  # monotonic
    one_off: str  # the container to remove, "" for none


class Commands:
    def __init__(self, shared: Shared, watch: Watch) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._rows = shared.rows
        self._audit = shared.audit
        self._watch = watch
        self._ids = itertools.count(1)
        self._begun: dict[int, _Begun] = {}

    def handlers(self) -> Mapping[str, Handler]:
        return {EXEC.name: self._begin, EXEC_ENDED.name: self._end}

    async def _begin(self, peer: Peer, asked: ExecRequest) -> ExecTicket:
        """Raises Refused when nothing runs that it could be run in."""
        self._world.ours(asked.key)
        await self._watch.look(asked.key)
        live = self._rows.seen(asked.key).live
        if live is None:
            raise Refused("nothing is live here", "deploy first")
        host, command = self._world.host(asked.key), asked.command or SHELL
        if asked.one_off:
            container = made = await self._made(host, live, command, asked.tty)
            argv = ("docker", "start", "--attach", "--interactive", container)
        else:
            container, made = self._serving(asked, live).name, ""
            argv = ("docker", "exec", "--interactive", *(("--tty",) if asked.tty else ()), container, *command)
        number = next(self._ids)
        words = self._ports.secrets.known.hide(clean(shlex.join(command), 300))
        text = f"runs “{words}” in {container} of {live.name}"
        row = self._audit.row(peer.actor, "exec", "began", asked.key, text=text, cli=line_of(asked))
        try:
            await self._audit.record(row)
        except CockpitError:
            if made:
                await host.target.remove_terminal(made)
            raise
        self._begun[number] = _Begun(asked.key, host, peer.actor, words, self._ports.clock.monotonic(), made)
        return ExecTicket(number, argv, {"DOCKER_HOST": host.docker_url}, container, live.number)

    async def _end(self, _: Peer, asked: ExecEnded) -> Done:
        begun = self._begun.pop(asked.id, None)
        if begun is None:
            raise UsageError(f"no command {asked.id} was begun, or this engine is a newer one")
        said = f"“{begun.words}” exited with status {asked.status}"
        outcome = "failed" if asked.status else "succeeded"
        seconds = self._ports.clock.monotonic() - begun.at
        row = self._audit.row(begun.actor, "exec", outcome, begun.key, text=said, seconds=seconds)
        await self._audit.record_anyway(row)
        if begun.one_off:
            await begun.host.target.remove_terminal(begun.one_off)
        return Done(said)

    def about(self, number: int) -> PlacementKey | None:
        begun = self._begun.get(number)
        return begun.key if begun else None

    def _serving(self, asked: ExecRequest, live: ReleaseRecord) -> Container:
        frozen = spec.from_text(live.spec)
        process = asked.process or frozen.main
        if process not in frozen.processes:
            raise UsageError(f"{live.name} has no process {clean(process)}", f"it has {', '.join(frozen.processes)}")
        running = [
            each
            for each in self._world.of(asked.key)
            if (each.release, each.process, each.slot) == (live.number, process, live.slot) and each.running
        ]
        if not running:
            raise Refused(f"no container of {process} runs", "--one-off runs it in a new one")
        return min(running, key=lambda each: each.index)

    async def _made(self, host: Host, live: ReleaseRecord, command: tuple[str, ...], tty: bool) -> str:
        order = await one_off(Values(self._ports.secrets), live, command, operation=0)
        return await host.target.create_terminal(order, tty=tty)
