"""What a container really has where a directory of the host was mounted: that directory may be gone by now."""

from __future__ import annotations

from pathlib import Path

_GONE = "//deleted"  # the kernel's word behind the path of a mount whose directory was removed


def gone(pid: int, inside: str, proc: Path = Path("/proc")) -> bool:
    """The directory that a container's process has there was removed, so that a new one of its name is another.

    False where nobody can tell: without that process's table, as on another host."""
    try:
        table = (proc / str(pid) / "mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    rows = (line.split() for line in table.splitlines())
    return any(len(row) > 4 and row[4] == inside and row[3].endswith(_GONE) for row in rows)
