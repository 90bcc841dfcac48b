"""New files for the owner's eyes alone, and nothing overwritten unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cockpit.errors import ConfigError, Refused
from cockpit.text import clean


def place(files: Mapping[Path, str], *, force: bool) -> list[Path]:
    """Writes them with mode 0600, the last one when all others are there; returns the .bak files.

    Raises Refused when one is there and `force` is not, and ConfigError when a directory does not let us."""
    there = [path for path in files if path.is_symlink() or path.exists()]
    if there and not force:
        raise Refused(
            clean(f"{', '.join(map(str, there))}: there already, and left as it is"),
            f"--force keeps it as {there[0].name}.bak and writes a new one; --output FILE writes elsewhere",
        )
    kept: list[Path] = []
    written: list[str] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".cockpit-", dir=path.parent)  # mode 0600
            written.append(name)
            with open(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        for path, name in zip(files, written, strict=True):
            if path in there:
                kept.append(path.with_name(f"{path.name}.bak"))
                os.replace(path, kept[-1])
            os.link(name, path)  # unlike a rename it overwrites nothing that came in between
    except OSError as error:
        raise ConfigError(clean(f"{error.filename}: {error.strerror}"), "The configuration was not written.") from None
    finally:
        for name in written:
            with suppress(OSError):
                os.unlink(name)
    return kept
