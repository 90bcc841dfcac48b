"""The registry's own word on what it has, asked by Docker: so proxies, mirrors and authorities are the daemon's."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from cockpit.build import login, words
from cockpit.build.base import Login
from cockpit.build.daemon import Daemon, answered, not_found
from cockpit.build.login import Auth
from cockpit.build.reference import registry, split
from cockpit.errors import BuildError

if TYPE_CHECKING:
    from docker import APIClient

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
WITHIN = 8.0  # seconds; with a credential helper's and Docker's own it stays below 20


async def available(daemon: Daemon, reference: str, given: Login | None) -> str | None:
    at = registry(split(reference)[0])
    return await digest(daemon, reference, await login.of(given, at), at)


async def digest(daemon: Daemon, name: str, auth: Auth, at: str) -> str | None:
    """Of registry/name:tag or registry/name@digest; None when the registry has none. Raises BuildError."""
    reached = False

    def ask(client: APIClient) -> str:
        nonlocal reached
        reached = True  # Docker has answered to its version: from here on the registry is waited for
        told = client.inspect_distribution(name, auth)
        return str((told.get("Descriptor") or {}).get("digest", ""))

    try:
        async with asyncio.timeout(WITHIN):
            found = await daemon.ask(ask)
    except TimeoutError:
        raise words.silent(at, WITHIN) if reached else words.daemon("timed out") from None
    except BuildError as error:
        if not_found(error):
            return None
        raise blamed(error, at, words.ASK, auth) from error
    if not _DIGEST.fullmatch(found):
        raise words.registry("error parsing HTTP: no digest in the answer", at, words.ASK)
    return found


def blamed(error: BuildError, at: str, doing: words.Doing, auth: Auth) -> BuildError:
    """The registry's refusal comes through the daemon; a daemon that does not answer is no registry's fault."""
    if not answered(error):
        return error
    return words.registry(" ".join((error.message, *error.log_tail)), at, doing, anonymous=not auth)
