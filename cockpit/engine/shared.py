"""What the parts of one engine have in common: each takes of it what it needs."""

from __future__ import annotations

from dataclasses import dataclass

from cockpit.engine.audit import Audit
from cockpit.engine.hub import Hub
from cockpit.engine.journal import Backlog
from cockpit.engine.ports import Ports
from cockpit.engine.rows import Rows
from cockpit.engine.world import World


@dataclass(frozen=True, slots=True)
class Shared:
    ports: Ports
    world: World  # what was seen
    rows: Rows  # what the release log says
    hub: Hub  # who is told
    audit: Audit
    backlog: Backlog  # what the log could not take yet
