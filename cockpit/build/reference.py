"""Names of images in registries: `registry/name:tag`, and a template of it that CI fills in the same way. Pure."""

from __future__ import annotations

import re

from cockpit.errors import BuildError

HUB = "docker.io"

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_SHORT = 7  # hex digits


def reference(template: str, sha: str) -> str:
    """`{sha}` is a commit's 40 hex digits, `{short}` the first 7. Raises BuildError."""
    made = template.replace("{sha}", sha).replace("{short}", sha[:_SHORT])
    split(made)
    return made


def split(name: str) -> tuple[str, str]:
    """registry/name:tag into registry/name and tag. Raises BuildError."""
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" not in repository or not _TAG.fullmatch(tag):
        raise BuildError(f"{name!r} is not registry/name:tag", "check `image` in the configuration")
    return repository, tag


def registry(name: str) -> str:
    """Whose registry an image's name stands for; a name without one is Docker Hub's."""
    first, slash, _ = name.partition("/")
    if not slash or ("." not in first and ":" not in first and first != "localhost"):
        return HUB
    return server(first)


def server(address: str) -> str:
    """A registry as logins name it, as one word: without scheme and path, and Docker Hub by its one name."""
    host = re.sub(r"^https?://", "", address).split("/", 1)[0]
    return HUB if host == HUB or host.endswith(f".{HUB}") else host
