"""What clients may see: the picture, a placement's releases and commits, and the sheets before a change."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cockpit.engine.api import Handler, Peer
from cockpit.engine.deploy_sheet import deploy_sheet
from cockpit.engine.doctor import examine
from cockpit.engine.opening import probe_address
from cockpit.engine.rollback_sheet import rollback_sheet
from cockpit.engine.shared import Shared
from cockpit.engine.steps import repository
from cockpit.engine.watch import Watch
from cockpit.engine.window import Window
from cockpit.model import Pending
from cockpit.protocol import (
    DEPLOY_SHEET,
    DIFF,
    DOCTOR,
    OPEN,
    PENDING,
    RANGE,
    REFRESH,
    RELEASES,
    ROLLBACK_SHEET,
    STATUS,
    SUBSCRIBE,
    Checks,
    CommitRequest,
    DeploySheet,
    Diff,
    Done,
    For,
    Nothing,
    OpenRequest,
    ProbeAddress,
    RangeRequest,
    Releases,
    RollbackSheet,
    Snapshot,
)
from cockpit.text import clean_block

LISTED = 2000  # commits in one answer
DIFF_LIMIT = 400_000  # characters


class Requests:
    def __init__(self, shared: Shared, window: Window, watch: Watch) -> None:
        self._ports = shared.ports
        self._world = shared.world
        self._hub = shared.hub
        self._rows = shared.rows
        self._window = window
        self._watch = watch
        self._known = shared.ports.secrets.known

    def handlers(self) -> Mapping[str, Handler]:
        return {
            SUBSCRIBE.name: self._subscribe,
            STATUS.name: self._status,
            PENDING.name: self._pending,
            RELEASES.name: self._releases,
            REFRESH.name: self._refresh,
            DOCTOR.name: self._doctor,
            DIFF.name: self._diff,
            RANGE.name: self._range,
            DEPLOY_SHEET.name: self._deploy_sheet,
            ROLLBACK_SHEET.name: self._rollback_sheet,
            OPEN.name: self._open,
        }

    # ------------------------------------------------------------ the picture

    async def _subscribe(self, peer: Peer, _: Nothing) -> Snapshot:
        self._hub.subscribe(peer)
        return self._window.snapshot()

    async def _status(self, _: Peer, __: Nothing) -> Snapshot:
        return self._window.snapshot()

    async def _pending(self, _: Peer, asked: For) -> Pending:
        self._world.find(asked.key)
        return await self._watch.repositories.pending(asked.key, min(asked.limit, LISTED))

    async def _releases(self, _: Peer, asked: For) -> Releases:
        self._world.find(asked.key)
        await self._rows.whole(asked.key)
        return self._window.releases(asked.key, asked.limit)

    async def _refresh(self, _: Peer, asked: For) -> Done:
        self._world.find(asked.key)
        await self._watch.refresh(asked.key)
        return Done()

    async def _doctor(self, _: Peer, __: Nothing) -> Checks:
        return Checks(await examine(self._ports, self._world, self._window.status(), self._rows.ways_back()))

    # ------------------------------------------------------------ commits

    async def _diff(self, _: Peer, asked: CommitRequest) -> Diff:
        placement = self._world.find(asked.key)
        where = repository(placement)
        commit = await self._ports.source.commit(where, asked.commit)
        text = await self._ports.source.diff(where, None, commit.sha, placement.service.path)
        return Diff(commit, self._block(text), len(text) >= DIFF_LIMIT)

    async def _range(self, _: Peer, asked: RangeRequest) -> Diff:
        placement = self._world.find(asked.key)
        where = repository(placement)
        old = await self._ports.source.commit(where, asked.old)
        new = await self._ports.source.commit(where, asked.new)
        text = await self._ports.source.diff(where, old.sha, new.sha, placement.service.path)
        return Diff(new, self._block(text), len(text) >= DIFF_LIMIT)

    def _block(self, text: str) -> str:
        """Without what is known: a secret that somebody committed is one for those who do not have the repository."""
        return self._known.hide(clean_block(self._known.hide(text), DIFF_LIMIT))

    # ------------------------------------------------------------ before a change

    async def _deploy_sheet(self, _: Peer, asked: CommitRequest) -> DeploySheet:
        await self._watch.reread()
        placement = self._world.find(asked.key)
        marked = partial(self._watch.repositories.marked, placement)
        return await deploy_sheet(self._ports, self._window.scene(placement), asked.commit, marked)

    async def _rollback_sheet(self, _: Peer, asked: For) -> RollbackSheet:
        placement = self._world.find(asked.key)
        await self._rows.whole(asked.key)
        return await rollback_sheet(self._ports, self._window.scene(placement))

    async def _open(self, _: Peer, asked: OpenRequest) -> ProbeAddress:
        placement = self._world.find(asked.key)
        await self._watch.look(asked.key)
        await self._rows.reload(asked.key)
        return probe_address(self._window.scene(placement), asked.release)
