"""Docker's contexts: the names that the docker command gives to hosts, read from where it keeps them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from cockpit.errors import ConfigError
from cockpit.text import clean

_PREFIX = "context:"
_DEFAULT = "default"  # the one that Docker has without a file


def resolve(host: str) -> str:
    """`context:NAME` as the `local`, `unix://…` or `ssh://…` that it stands for; any other host as it is.

    Blocks for one small file. Raises ConfigError."""
    if not host.startswith(_PREFIX):
        return host
    name = host.removeprefix(_PREFIX)
    return "local" if name == _DEFAULT else _usable(name, _endpoint(name))


def _endpoint(name: str) -> str:
    directory = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    file = directory / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    try:
        found: Any = json.loads(file.read_bytes())
        return clean(str(found["Endpoints"]["docker"]["Host"]), 300)
    except FileNotFoundError:
        hint = f"`docker context ls` as the engine's user lists them; they are kept in {directory}."
        raise ConfigError(f"Docker has no context {name}", hint) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"the Docker context {name} cannot be read: {clean(str(error), 200)}") from None


def _usable(name: str, endpoint: str) -> str:
    if endpoint.startswith(("unix:///", "ssh://")):
        return endpoint
    hint = (
        "Write host: ssh://user@host instead: Docker's own socket is then reached through ssh, and so is the edge."
        if endpoint.startswith(("tcp://", "http://", "https://"))
        else "host is `local`, unix:///path, ssh://user@host, or a context that stands for one of these."
    )
    raise ConfigError(f"the Docker context {name} leads to {endpoint}, which the cockpit does not use", hint)
