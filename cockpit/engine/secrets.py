"""Secret values: resolved when a release starts, handed to its containers, and never kept, logged or compared."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cockpit.errors import ConfigError

COMMAND_TIMEOUT = 15.0  # seconds


class Source(Protocol):
    """A `Secret` of the configuration or a `SecretSource` of a frozen release."""

    @property
    def file(self) -> str | None: ...
    @property
    def environment(self) -> str | None: ...
    @property
    def command(self) -> tuple[str, ...] | None: ...


class Secrets:
    """`key` is a file of 32 random bytes, mode 0600, made on first use; it keys the fingerprints."""

    def __init__(self, key: Path) -> None:
        self._key = _load_key(key)

    async def resolve(self, sources: Mapping[str, Source]) -> dict[str, str]:
        """Raises ConfigError that names the secret and never its value."""
        return {name: await _value(name, source) for name, source in sources.items()}

    def fingerprint(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:16]

    def fingerprints(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self.fingerprint(value) for name, value in values.items()}


async def _value(name: str, source: Source) -> str:
    if source.file is not None:
        return await asyncio.to_thread(_from_file, name, Path(source.file).expanduser())
    if source.environment is not None:
        if source.environment not in os.environ:
            raise ConfigError(
                f"secret {name}: the engine's environment has no {source.environment}",
                "set it where the engine is started, then restart the engine",
            )
        return os.environ[source.environment]
    return await _from_command(name, source.command or ())


def _from_file(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"secret {name}: {path} cannot be read ({reason})", "check the path and its owner") from None


async def _from_command(name: str, command: tuple[str, ...]) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise ConfigError(
            f"secret {name}: {command[0]} cannot be run ({error.strerror})", "check the command"
        ) from None
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT):
            output, _ = await process.communicate()
    except TimeoutError:
        raise ConfigError(
            f"secret {name}: {command[0]} gave no answer within {COMMAND_TIMEOUT:.0f} s", "run it by hand"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ConfigError(f"secret {name}: {command[0]} exited with status {process.returncode}", "run it by hand")
    return output.decode("utf-8", "replace").rstrip("\r\n")


def _load_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            key = secrets.token_bytes(32)
            file.write(key)
        return key
