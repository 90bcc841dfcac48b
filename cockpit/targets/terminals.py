"""A container for a command that somebody runs on a terminal of their own. Synchronous: runs in the pool's threads."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cockpit.targets import labels
from cockpit.targets.creation import create
from cockpit.targets.joined import joinable
from cockpit.targets.options import LOGS, host_arguments, process_arguments
from cockpit.targets.orders import RunOrder

if TYPE_CHECKING:
    from docker import DockerClient


def create_terminal(client: DockerClient, installation: str, network: str, order: RunOrder, tty: bool) -> str:
    """Its name; `docker start --attach --interactive` runs it. Docker removes it when its command ends."""
    arguments = process_arguments(order.spec, order.environment) | {
        "name": labels.terminal_name(installation, order.key, order.release, secrets.token_hex(3)),
        "labels": labels.terminal_labels(installation, order),
        "stdin_open": True,
        "tty": tty,
        "healthcheck": {"Test": ["NONE"]},
    }
    host = host_arguments(order.spec, network, LOGS) | {"auto_remove": True}
    create(client, arguments, host, network, "", joinable(client, order.spec.networks, but=network).values())
    return str(arguments["name"])
