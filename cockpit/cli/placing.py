"""New files for the owner's eyes alone, all or none of them, and nothing overwritten unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cockpit.errors import ConfigError, Refused
from cockpit.text import clean


def place(files: Mapping[Path, str], *, force: bool) -> list[Path]:
    """Writes them with mode 0600, the last one last; returns where what was there before is now.

    Raises Refused when one is there and `force` is not, and ConfigError when a directory does not let us."""
    there = [path for path in files if path.is_symlink() or path.exists()]
    if there and not force:
        raise Refused(
            clean(f"{', '.join(map(str, there))}: there already, and left as it is"),
            f"--force keeps it as {there[0].name}.bak and writes a new one; --output FILE writes elsewhere",
        )
    kept, done = [], []
    try:
        for path, text in files.items():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = _written(path.parent, text)
            if path in there:
                kept.append(path.with_name(f"{path.name}.bak"))
                os.replace(path, kept[-1])
            done.append(new)
            os.link(new, path)  # unlike a rename it overwrites nothing that came in between
    except OSError as error:
        raise ConfigError(clean(f"{error.filename}: {error.strerror}"), "Nothing else was written.") from None
    finally:
        for new in done:
            with suppress(OSError):
                os.unlink(new)
    return kept


def _written(directory: Path, text: str) -> str:
    handle, name = tempfile.mkstemp(prefix=".cockpit-", dir=directory)  # mode 0600
    with open(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return name
