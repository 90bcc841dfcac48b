"""What clients read of logs: an operation's, a service's, or that of a container that is not the cockpit's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from cockpit.engine import following
from cockpit.engine.api import Handler, Peer
from cockpit.engine.following import Following
from cockpit.engine.hosts import Hosts
from cockpit.engine.learning import Learning
from cockpit.engine.runs import Runs
from cockpit.engine.service_log import ServiceLog
from cockpit.engine.shared import Shared
from cockpit.errors import UsageError
from cockpit.model import LogLine
from cockpit.protocol import LOGS_CLOSE, LOGS_OPEN, MAX_TAIL, Done, LogKind, LogOpened, LogRequest, Subscription
from cockpit.store.logs import OperationLog, path_of


class Logs:
    def __init__(self, shared: Shared, open_ones: Following, hosts: Hosts, runs: Runs) -> None:
        self._shared = shared
        self._open_ones = open_ones
        self._hosts = hosts
        self._runs = runs
        self._learning = Learning(shared.ports)
        self._known = shared.ports.secrets.known

    def handlers(self) -> Mapping[str, Handler]:
        return {LOGS_OPEN.name: self._open, LOGS_CLOSE.name: self._close}

    async def _open(self, peer: Peer, asked: LogRequest) -> LogOpened:
        match asked.kind:
            case LogKind.SERVICE:
                return self._of_service(peer, asked)
            case LogKind.CONTAINER:
                return await self._of_container(peer, asked)
            case LogKind.OPERATION:
                return self._of_operation(peer, asked)

    async def _close(self, peer: Peer, asked: Subscription) -> Done:
        self._open_ones.close(peer, asked.subscription)
        return Done()

    def _of_service(self, peer: Peer, asked: LogRequest) -> LogOpened:
        if asked.key is None:
            raise UsageError("a service log needs a service")
        self._shared.world.find(asked.key)
        log = ServiceLog(self._shared, self._learning, asked.key, asked)
        return LogOpened(self._open_ones.open(peer, log.lines))

    async def _of_container(self, peer: Peer, asked: LogRequest) -> LogOpened:
        tail, host = min(asked.tail, MAX_TAIL), self._hosts.named(asked.host)
        ours = [each for each in host.containers if each.name == asked.container or each.id[:12] in asked.container]
        await self._learning.of(host, ours)
        names = {asked.container: ""}
        return LogOpened(
            self._open_ones.open(peer, lambda: following.of_logs(host.target, self._known, names, tail, asked.follow))
        )

    def _of_operation(self, peer: Peer, asked: LogRequest) -> LogOpened:
        if asked.operation is None:
            raise UsageError("an operation log needs an operation")
        number = asked.operation
        path = path_of(self._shared.ports.paths.logs, number)
        return LogOpened(self._open_ones.open(peer, lambda: self._operation_lines(number, asked)), str(path))

    async def _operation_lines(self, number: int, asked: LogRequest) -> AsyncIterator[tuple[LogLine, ...]]:
        run = self._runs.run(number)
        if run is not None and asked.follow:
            async for lines in following.of_run(run, asked.step, min(asked.tail, MAX_TAIL)):
                yield lines
            return
        path = path_of(self._shared.ports.paths.logs, number)
        if await asyncio.to_thread(path.exists):
            lines = await asyncio.to_thread(OperationLog.tail_file, path, min(asked.tail, MAX_TAIL))
            yield following.only(lines, asked.step)
