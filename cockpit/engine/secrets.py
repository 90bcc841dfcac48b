"""Secret values: resolved when a release starts, handed to its containers, and never written down, shown or compared.

What an env file says is as secret as the rest: nobody can tell which of its lines is a password.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

from cockpit import process
from cockpit.engine import env_file
from cockpit.engine.known import Known
from cockpit.errors import ConfigError

COMMAND_TIMEOUT = 15.0  # seconds
LARGEST = 1024 * 1024  # bytes of one file or one answer
_NAMING = b"\0the key's name"  # no value has a NUL byte


class Source(Protocol):
    """A `Secret` of the configuration or a `SecretSource` of a frozen release."""

    @property
    def file(self) -> str | None: ...
    @property
    def environment(self) -> str | None: ...
    @property
    def command(self) -> tuple[str, ...] | None: ...


class Secrets:
    """`key` is a file of 32 random bytes, mode 0600, made on first use; it keys the fingerprints, and `keyed_by` names
    it: fingerprints of two keys say nothing about each other.

    `known` learns every value before whoever asked for it gets it."""

    def __init__(self, key: Path) -> None:
        self._key = _load_key(key)
        self.keyed_by = hmac.new(self._key, _NAMING, hashlib.sha256).hexdigest()[:8]
        self.known = Known()

    async def resolve(self, sources: Mapping[str, Source]) -> dict[str, str]:
        """Raises ConfigError that names the secret and never its value."""
        found = {}
        for name, source in sources.items():
            found[name] = await _value(name, source)
            self.known.learn((source.file, source.environment, source.command), found[name])
        return found

    async def env_files(self, paths: Collection[str], optional: Collection[str] = ()) -> dict[str, str]:
        """All their variables; a later file wins. A path that is `optional` may be missing.

        Raises ConfigError that names the file and the line, and shows nothing of it."""
        found = await asyncio.to_thread(_from_env_files, tuple(paths), frozenset(optional))
        for name, value in found.items():
            self.known.learn((*paths, name), value)
        return found

    def fingerprint(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:16]

    def fingerprints(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self.fingerprint(value) for name, value in values.items()}


async def _value(name: str, source: Source) -> str:
    if source.file is not None:
        value = await asyncio.to_thread(_from_file, name, Path(source.file).expanduser())
    elif source.environment is not None:
        value = _from_environment(name, source.environment)
    else:
        value = await _from_command(name, source.command or ())
    if "\0" in value:
        raise ConfigError(f"secret {name}: its value has a NUL byte, which no variable can hold", "look at its source")
    return value


def _from_environment(name: str, variable: str) -> str:
    if variable not in os.environ:
        raise ConfigError(
            f"secret {name}: the engine's environment has no {variable}",
            "set it where the engine is started, then restart the engine",
        )
    return os.environ[variable]


async def _from_command(name: str, command: tuple[str, ...]) -> str:
    try:
        ended = await process.run(command, env=os.environ, timeout=COMMAND_TIMEOUT, limit=LARGEST)
    except TimeoutError:
        raise ConfigError(
            f"secret {name}: {command[0]} gave no answer within {COMMAND_TIMEOUT:.0f} s", "run it by hand"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"secret {name}: {command[0]} cannot be run ({error.strerror})", "check the command"
        ) from None
    if ended.cut:
        raise ConfigError(f"secret {name}: {command[0]} printed over 1 MB", "run it by hand")
    if ended.status:
        raise ConfigError(f"secret {name}: {command[0]} exited with status {ended.status}", "run it by hand")
    return ended.out.decode("utf-8", "replace").rstrip("\r\n")


# ---------------------------------------------------------------- files


def _from_file(name: str, path: Path) -> str:
    try:
        return _text(path).rstrip("\r\n")
    except (OSError, _Unusable) as error:
        raise ConfigError(
            f"secret {name}: {path} cannot be read ({_reason(error)})", "check the path and its owner"
        ) from None


def _from_env_files(paths: tuple[str, ...], optional: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        try:
            text = _text(Path(path).expanduser())
        except FileNotFoundError:
            if path in optional:
                continue
            raise ConfigError(f"the env file {path} does not exist", "make it, or say `required: false`") from None
        except (OSError, _Unusable) as error:
            raise ConfigError(
                f"the env file {path} cannot be read ({_reason(error)})", "check the path and its owner"
            ) from None
        found |= env_file.parse(text, path)
    return found


class _Unusable(Exception):
    """Why a file that is there holds no values."""


def _reason(error: Exception) -> str:
    return (error.strerror or "") if isinstance(error, OSError) else str(error)


def _text(path: Path) -> str:
    """Never waits, whatever is at that path."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise _Unusable("a device or a pipe is no file")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise _Unusable("it is over 1 MB")
    if b"\0" in data:
        raise _Unusable(f"line {_line(data, data.index(0))} has a NUL byte")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unusable(f"line {_line(data, error.start)} is not UTF-8") from None


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _load_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            key = secrets.token_bytes(32)
            file.write(key)
        return key
