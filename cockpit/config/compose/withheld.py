"""Which values are secrets. A value that is taken for one wrongly only moves to a file that nobody else reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

SHORTEST = 6  # characters of a secret that is looked for in other texts
LONGEST_WORD = 15  # letters alone up to here may be any word, as the password `postgres` is one

_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|PRIVATE|APIKEY|(?:^|_)(?:PASS|PW|PWD|KEYS?|DSN|SALT|PEPPER|AUTH)(?:_|$)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"_(?:FILE|PATH|DIR|URL|HOST|PORT|NAME|USER)$", re.IGNORECASE)
_URL = re.compile(r"://[^/@\s:]*:[^/@\s]+@")


def is_secret(name: str, value: str) -> bool:
    if has_password(value):
        return True
    return named(name) and value.lower() not in {"", "true", "false"}


def named(name: str) -> bool:
    """Its name says that it is one."""
    return bool(_NAME.search(name)) and not _PLACE.search(name)


def has_password(text: str) -> bool:
    """postgres://user:password@host"""
    return bool(_URL.search(text))


def shows(value: Any, known: Iterable[str]) -> bool:
    """Whether a secret can be read anywhere in it."""
    match value:
        case str():
            return has_password(value) or any(each in value for each in known)
        case dict():
            return any(shows(each, known) for each in value.values())
        case list() | tuple():
            return any(shows(each, known) for each in value)
        case _:
            return False


def recognisable(values: Iterable[str]) -> frozenset[str]:
    """Those that stand in another text for no other reason."""
    return frozenset(
        value for value in values if len(value) >= SHORTEST and not (value.isalpha() and len(value) <= LONGEST_WORD)
    )
