"""A whole copy of the release log, also while an engine writes it; and whether such a copy may be used."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cockpit.errors import StoreError
from cockpit.store.migrations import MIGRATIONS, version
from cockpit.store.opening import APPLICATION_ID, BUSY_SECONDS


def copy(path: Path, into: Path) -> None:
    """For another process than the one that has it open. `into` must not be there. Raises StoreError."""
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_SECONDS
        )
        try:
            into.touch(mode=0o600)
            db.execute("VACUUM INTO ?", (str(into),))
        finally:
            db.close()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"the release log {path} cannot be copied: {error}", "cockpit doctor looks at it") from error


def check(path: Path) -> None:
    """Raises StoreError when it is no release log, is damaged, or was written by a newer cockpit."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            schema, problem = version(db), db.execute("PRAGMA quick_check(1)").fetchone()[0]
            ours = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        finally:
            db.close()
    except sqlite3.Error as error:
        raise StoreError(f"the backup's release log cannot be read: {error}", "take another backup") from error
    if not ours:
        raise StoreError("the backup's database is no release log", "take another backup")
    if schema > len(MIGRATIONS):
        raise StoreError(
            f"the backup was made by a newer cockpit (schema {schema}, this one knows {len(MIGRATIONS)})",
            "restore it with that version, or a newer one",
        )
    if problem != "ok":
        raise StoreError(f"the backup's release log is damaged: {problem}", "take another backup")
