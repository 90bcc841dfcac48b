"""What ssh said when it ended, in words for the operator. Pure.

ssh tells its reasons only as text; the patterns are those of OpenSSH 7.6 to 9.9.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from cockpit.ssh.address import Address
from cockpit.text import clean

Settings = Mapping[str, str]  # what `ssh -G` says of the host, keys in lower case


@dataclass(frozen=True, slots=True)
class Reason:
    """`stop`: a person has to do `hint` first; trying again and again would only make noise."""

    why: str
    hint: str = ""
    stop: bool = False


def ended(said: str, address: Address, settings: Settings, *, was_up: bool) -> Reason:
    """`said` is what ssh wrote to standard error; a name that led to a host once (`was_up`) may do so again."""
    for pattern, reason in _STOPS:
        if re.search(pattern, said) and not (was_up and reason is _unknown_host):
            return reason(said, address, settings)
    for pattern, why in _PASSING:
        if re.search(pattern, said):
            return Reason(why)
    last = _last(said)
    return Reason(last or "ssh ended without a word")


def no_shell(address: Address, said: str) -> Reason:
    """It logged in, and what ran there is no shell."""
    told = f": {_last(said)}" if _last(said) else ""
    hint = f"Look at the user's login shell and for `command=` at the key: `ssh {address.words} true` must succeed."
    return Reason(f"{address} lets in and gives no shell{told}", hint, stop=True)


def no_forwarding(address: Address) -> Reason:
    hint = "Allow it in its sshd_config (AllowStreamLocalForwarding yes), and take `restrict` from the key there."
    return Reason(f"{address} forbids forwarding to Unix sockets, so Docker cannot be reached", hint, stop=True)


def too_deep(address: Address, edge: PurePosixPath) -> Reason:
    what = f"the path {edge} on {address.host} is too long for a socket"
    return Reason(what, "Log in there as a user with a shorter home directory.", stop=True)


def no_docker(address: Address, socket: str, user: str, group: str) -> Reason:
    what = f"{user} may not use Docker on {address.host} ({socket})"
    group = "docker" if group in ("", "root") else group
    return Reason(what, f"Run there: sudo usermod -aG {group} {user}. It is seen within a minute.")


def no_ssh() -> Reason:
    return Reason("ssh is not installed on this machine", "Install it (openssh-client).", stop=True)


def _changed(said: str, address: Address, settings: Settings) -> Reason:
    line = re.search(r"Offending .* in (\S+:\d+)", said)
    at = f" (it is not the one in {clean(line[1])})" if line else ""
    name, file = _known_as(address, settings), clean(line[1].rpartition(":")[0]) if line else ""
    remove = f"ssh-keygen{f' -f {file}' if file else ''} -R '{name}'"
    return Reason(
        f"the host key of {address.host} has changed{at}: another machine may be answering in its place",
        f"Ask who runs it. If it was reinstalled: {remove}, then `ssh {address.words}` once, and compare its key.",
        stop=True,
    )


def _unknown_key(said: str, address: Address, settings: Settings) -> Reason:
    found = re.search(r"No (\S+) host key is known", said)
    kind = f"{clean(found[1])} " if found else ""
    return Reason(
        f"the {kind}host key of {address.host} is not known to this machine",
        f"Log in once by hand as the engine's user (ssh {address.words}), compare the fingerprint it shows, say yes.",
        stop=True,
    )


def _denied(said: str, address: Address, settings: Settings) -> Reason:
    if "UNPROTECTED PRIVATE KEY" in said:
        hint = "Its private key can be read by others, so ssh does not use it: chmod 600."
    else:
        hint = (
            f"Its user must exist and have this machine's public key in authorized_keys: `ssh -o BatchMode=yes "
            f"{address.words}` must get in. A key with a passphrase needs an agent that stays (IdentityAgent)."
        )
    return Reason(f"{address} does not let us in: {_line(said, 'Permission denied|Too many auth')}", hint, stop=True)


def _unknown_host(said: str, address: Address, settings: Settings) -> Reason:
    name = clean(settings.get("hostname", address.host))
    return Reason(f"there is no host called {name}", "Look at `host` in the configuration, or at DNS.", stop=True)


def _own_configuration(said: str, address: Address, settings: Settings) -> Reason:
    told = _line(said, "Bad |bad configuration|no argument|garbage")
    return Reason(f"ssh cannot use its own configuration: {told}", "Try `ssh -G` as the engine's user.", stop=True)


def _no_common(said: str, address: Address, settings: Settings) -> Reason:
    told = _line(said, "no matching")
    return Reason(f"ssh and {address.host} have nothing in common: {told}", "See `man ssh_config`.", stop=True)


_STOPS: tuple[tuple[str, Callable[[str, Address, Settings], Reason]], ...] = (
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed", _changed),
    (r"No \S+ host key is known|Host key verification failed", _unknown_key),
    (r"Permission denied|Too many authentication failures", _denied),
    (r"Could not resolve hostname .*(?:not known|No address|nodename nor servname)", _unknown_host),
    (r"Bad (?:owner|configuration|permissions)|bad configuration option|garbage at end of line", _own_configuration),
    (r"no matching (?:host key|key exchange|cipher|MAC)", _no_common),
)
_PASSING = (
    (r"Timeout, server .* not responding", "the host fell silent"),
    (r"Connection refused", "connection refused"),
    (r"Could not resolve hostname", "its name cannot be looked up now"),
    (r"[Tt]imed out", "it does not answer"),
    (r"No route to host|Network is unreachable", "there is no way to it"),
    (r"closed by remote host|[Cc]onnection reset|Broken pipe|Connection closed", "the host closed the connection"),
)


def _known_as(address: Address, settings: Settings) -> str:
    """As known_hosts names it."""
    name = settings.get("hostkeyalias") or settings.get("hostname") or address.host
    port = settings.get("port") or str(address.port or 22)
    return clean(name if port == "22" else f"[{name}]:{port}")


def _line(said: str, pattern: str) -> str:
    """The last line with it, cleaned."""
    found = [line for line in said.splitlines() if re.search(pattern, line)]
    return clean(found[-1], 200) if found else ""


def _last(said: str) -> str:
    return _line(said, r"\S")
