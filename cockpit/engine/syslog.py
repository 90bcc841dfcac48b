"""The audit's heads, to where nobody on this machine's state directory can take them back: syslog, or the journal.

A head commits to its row and to all before it, so that one that gets lost is made good by the next. Nothing here waits
or fails: an action is no less done for a log daemon that is gone.
"""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

from cockpit.model import AuditRow

DEVICE = Path("/dev/log")  # also the journal's
PRIORITY = 10 * 8 + 5  # facility authpriv, severity notice
TAG = "deploy-cockpit"
PLAIN = re.compile(r"[\w.,:/@+-]+", re.ASCII)


class Syslog:
    """`installation` tells the engines of one log apart."""

    def __init__(self, installation: str, device: Path = DEVICE) -> None:
        self._installation = installation
        self._device = str(device)

    def send(self, row: AuditRow) -> None:
        """Never waits, never raises."""
        line = f"<{PRIORITY}>{TAG}[{os.getpid()}]: {line_of(row, self._installation)}"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as device:
                device.sendto(line.encode("utf-8", "replace"), self._device)
        except OSError:  # none here, not of this kind, or it does not read
            return


def line_of(row: AuditRow, installation: str) -> str:
    """Without reasons and texts: they may be nobody else's business, and the head commits to them."""
    said = {
        "head": f"{row.id}:{row.hash}",
        "installation": installation,
        "action": row.action,
        "outcome": row.outcome,
        "actor": row.actor.name,
        "uid": row.actor.uid,
        **({"placement": str(row.key)} if row.key else {}),
        **({"operation": row.operation} if row.operation is not None else {}),
    }
    return "audit " + " ".join(f"{name}={_quoted(value)}" for name, value in said.items())


def _quoted(value: object) -> str:
    text = str(value)
    return text if PLAIN.fullmatch(text) else json.dumps(text)
