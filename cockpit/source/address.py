"""Where a repository is: which transports its URL may use, and how it is shown without its password."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cockpit.errors import SourceError
from cockpit.text import clean

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_USERINFO = re.compile(r"(?<=://)([^/@:]*)(:[^/@]*)?@")
_SCP_LIKE = re.compile(r"(?:[^@/:\s-][^@/:\s]*@)?[^@/:\s-][^@/:\s]*:[^:]")
_LOOPBACK = re.compile(r"http://(?:[^/@]*@)?(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?=[:/])")
_HINT = "write it as ssh://git@host/path, git@host:path, https://host/path or an absolute path"


@dataclass(frozen=True, slots=True)
class Address:
    url: str
    protocols: tuple[str, ...]  # git may use these and no other, redirects included

    @property
    def shown(self) -> str:
        return hide(self.url)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.url.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def address(url: str) -> Address:
    """Raises SourceError for what git would not fetch safely: helpers that run commands, options, plain-text hosts."""
    if not url or url.startswith("-") or "::" in url.split("/", 1)[0] or any(ord(char) < 32 for char in url):
        raise SourceError(f"{hide(url) or 'an empty text'} is not a repository's address", _HINT)
    scheme = _SCHEME.match(url)
    if scheme is None:
        return Address(url, _of_path(url))
    match scheme[1].lower():
        case "ssh" | "https" | "file" as name:
            return Address(url, (name,))
        case "http" if _LOOPBACK.match(url):
            return Address(url, ("http",))
        case "http" | "git" as name:
            raise SourceError(f"{hide(url)}: {name}:// can be changed on the way and is not used for code", _HINT)
        case name:
            raise SourceError(f"{hide(url)}: {clean(name)}:// is not supported", _HINT)


def hide(url: str) -> str:
    """Without the password, and without a user name that may be a token."""
    shown = clean(_USERINFO.sub(lambda match: f"{match[1]}@" if match[1] == "git" and not match[2] else "", url))
    return shown if len(shown) <= 200 else f"{shown[:200]}…"


def _of_path(url: str) -> tuple[str, ...]:
    if url.startswith("/"):
        return ("file",)
    if _SCP_LIKE.match(url):
        return ("ssh",)
    raise SourceError(f"{hide(url)} is not a repository's address", _HINT)
