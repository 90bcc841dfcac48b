"""What git said when it failed, in words that tell the operator what to do. Pure."""

from __future__ import annotations

import re

from cockpit.errors import SourceError
from cockpit.source.address import Address
from cockpit.text import clean, decode

_ASK_KEY = "give the engine's user a deploy key or a credential helper: git never asks here"

# (what git or ssh says, what it means, what to do next); {at} is the address, {host} as found by the pattern
_SIGNS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), message, hint)
    for pattern, message, hint in (
        (
            r"REMOTE HOST IDENTIFICATION HAS CHANGED",
            "{at}: the host's key has changed; someone may be in between",
            "ask who runs the host; then `ssh-keygen -R HOST` and accept the new key as the engine's user",
        ),
        (
            r"Host key verification failed|No .* host key is known",
            "{at}: the host's key is not known here",
            "compare its fingerprint, then run `ssh HOST` once as the engine's user",
        ),
        (
            r"Could not resolve host|Temporary failure in name resolution|Name or service not known",
            "{at} cannot be reached: its name does not resolve",
            "check the address and this machine's DNS",
        ),
        (
            r"terminal prompts disabled|could not read (Username|Password)|Authentication failed|Invalid username"
            r"|Permission denied \(|returned error: 40[13]|HTTP Basic: Access denied|requested URL returned error: 407",
            "{at} refused the login",
            _ASK_KEY,
        ),
        (
            r"SSL certificate problem|certificate verify failed|server certificate",
            "{at}: its certificate is not trusted",
            "install the authority's certificate on this machine",
        ),
        (
            r"dubious ownership|unsafe repository",
            "{at} belongs to another user of this machine",
            "fetch it over ssh, or name it in the engine user's `git config --global safe.directory`",
        ),
        (
            r"does not appear to be a git repository|repository .* (does not exist|not found)|Repository not found"
            r"|returned error: 404|not a git repository",
            "{at} is not a repository, or not one that this login may see",
            "check the address in the configuration",
        ),
        (
            r"returned error: 5\d\d|Internal Server Error",
            "{at} answered with a server error: {line}",
            "it is tried again at the next fetch; look at the git host's status",
        ),
        (
            r"Connection refused|timed out|Network is unreachable|No route to host|Failed to connect|Couldn't connect"
            r"|Connection reset|Empty reply|early EOF|hung up unexpectedly",
            "{at} cannot be reached: {line}",
            "check the network from this machine; what was fetched before is still shown",
        ),
        (r"transport '[^']*' not allowed", "{at} uses a transport that is not allowed", "use ssh or https"),
        (
            r"No space left on device|Disk quota exceeded",
            "no space left on this machine for the copy of {at}",
            "free space where the engine's state directory is",
        ),
        (
            r"File exists|Unable to create .*\.lock",
            "another git still works in the copy of {at}",
            "it is tried again at the next fetch; the lock is removed when nobody holds it",
        ),
    )
)


def failure(said: bytes, address: Address, status: int = 0) -> SourceError:
    text = decode(said).replace(address.url, address.shown)
    line = telling(text) or f"git ended with status {status}"
    for pattern, message, hint in _SIGNS:
        if pattern.search(text):
            return SourceError(message.format(at=address.shown, line=line), hint)
    return SourceError(f"{address.shown}: {line}", "run the same fetch by hand as the engine's user to see more")


def telling(text: str) -> str:
    """The line that says why: the first fatal one, else the first that is no mere remark."""
    lines = [clean(line, 300) for line in text.splitlines() if line.strip()]
    for start in ("fatal:", "error:", "ERROR:", "ssh:", "remote: "):
        found = next((line for line in lines if line.startswith(start)), None)
        if found is not None:
            return found.removeprefix(start).strip()
    return lines[0] if lines else ""


def too_slow(verb: str, seconds: float, address: Address) -> SourceError:
    if verb in ("fetch", "ls-remote"):
        return SourceError(
            f"{address.shown} did not answer within {seconds:g} s",
            "check the network from this machine; what was fetched before is still shown",
        )
    return SourceError(
        f"git {verb} took longer than {seconds:g} s in the copy of {address.shown}",
        "look at this machine's disk and load",
    )
