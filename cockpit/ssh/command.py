"""How ssh is called. Pure.

The user's own configuration stays in force (keys, ProxyJump, aliases, known_hosts); what could ask, forward more than
we say, run something else than a shell, or outlive us is overridden.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cockpit.ssh.address import Address

CONNECT = 10  # seconds for ssh to reach its host
ALIVE_EVERY = 1  # seconds; with the next, a line that was dropped without a word is seen after 3 or 4
ALIVE_MISSED = 2
SHELL = "exec sh"  # understood by every login shell; all that is run goes to its standard input

_ALWAYS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": str(CONNECT),
    "ConnectionAttempts": "1",
    "ServerAliveInterval": str(ALIVE_EVERY),
    "ServerAliveCountMax": str(ALIVE_MISSED),
    "ControlMaster": "yes",
    "ControlPersist": "no",
    "ClearAllForwardings": "yes",  # those of the user's configuration; ours are asked for once it is up
    "StreamLocalBindUnlink": "yes",
    "StreamLocalBindMask": "0177",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "Tunnel": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "LogLevel": "INFO",  # the reasons are told at this level
}

# The kernel ends ssh when the engine dies, however it dies; what ssh itself started ends with it.
_TIED = """import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]): sys.exit(255)
os.execvp(sys.argv[2], sys.argv[2:])"""


def tied(argv: Sequence[str], parent: int) -> tuple[str, ...]:
    """The same command, ended when its parent ends."""
    return (sys.executable, "-I", "-S", "-c", _TIED, str(parent), *argv)


def master(address: Address, control: Path) -> tuple[str, ...]:
    """The connection itself. Its session is a shell, so that it ends with its standard input too."""
    return ("ssh", *_options(_ALWAYS), "-S", _literal(control), *_to(address), SHELL)


def evaluated(address: Address) -> tuple[str, ...]:
    """Prints what the user's configuration makes of this address."""
    return ("ssh", "-G", *_to(address))


def lane(control: Path) -> tuple[str, ...]:
    """One more shell through the connection that is there, never through one of its own."""
    return (*_through(control), "-T", "--", "line", SHELL)


def forward(control: Path, *ways: tuple[Path, str]) -> tuple[str, ...]:
    """Local sockets to what the host knows: "/var/run/docker.sock" or "127.0.0.1:8100"."""
    each = (word for here, there in ways for word in ("-L", f"{here}:{there}"))
    return (*_through(control), "-O", "forward", *each, "--", "line")


def end(control: Path) -> tuple[str, ...]:
    return (*_through(control), "-O", "exit", "--", "line")


def environment(outer: Mapping[str, str], *, agent: bool) -> dict[str, str]:
    """Without the agent of a login that may end, unless the configuration asks for it; nothing can ask a person."""
    dropped = {"SSH_ASKPASS", "DISPLAY", *(() if agent else ("SSH_AUTH_SOCK",))}
    kept = {name: value for name, value in outer.items() if name not in dropped}
    return {**kept, "LC_ALL": "C", "LANGUAGE": "", "SSH_ASKPASS_REQUIRE": "never"}


def _through(control: Path) -> tuple[str, ...]:
    """`-F none`: what the configuration says of this host was said to the connection already."""
    only = {"ControlMaster": "no", "ProxyCommand": "false", "BatchMode": "yes"}
    return ("ssh", "-F", "none", *_options(only), "-S", _literal(control))


def _literal(path: Path) -> str:
    return str(path).replace("%", "%%")


def _options(options: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(word for name, value in options.items() for word in ("-o", f"{name}={value}"))


def _to(address: Address) -> tuple[str, ...]:
    user = ("-l", address.user) if address.user else ()
    port = ("-p", str(address.port)) if address.port else ()
    return (*user, *port, "-T", "--", address.host)
