"""The host's static busybox: all that the demo's services have besides the edge's Caddy."""

from __future__ import annotations

from pathlib import Path

from cockpit.errors import UsageError

BUSYBOX = Path("/bin/busybox")
_ELF_INTERPRETER = 3  # program header type of a dynamically linked executable


def busybox() -> Path:
    """It must be static to run in an empty image. Raises UsageError."""
    if BUSYBOX.is_file() and _static(BUSYBOX):
        return BUSYBOX
    raise UsageError("there is no static busybox at /bin/busybox", "apt-get install busybox-static")


def _static(program: Path) -> bool:
    """No program header of an ELF file names an interpreter."""
    with program.open("rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF":
            return False
        wide = head[4] == 2
        offset = int.from_bytes(head[32:40] if wide else head[28:32], "little")
        size = int.from_bytes(head[54:56] if wide else head[42:44], "little")
        count = int.from_bytes(head[56:58] if wide else head[44:46], "little")
        file.seek(offset)
        table = file.read(size * count)
    return all(int.from_bytes(table[at : at + 4], "little") != _ELF_INTERPRETER for at in range(0, len(table), size))
