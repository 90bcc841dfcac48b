"""The first schema of the release log. A shipped migration never changes: the next one alters what it made.

What the schema itself holds: states are known words, a placement has one live release at most, a slot has one holder,
events and entries are only ever added.
"""

from __future__ import annotations

PLACEMENTS = """
CREATE TABLE placements (
    id          INTEGER PRIMARY KEY,
    service     TEXT NOT NULL CHECK (service <> ''),
    environment TEXT NOT NULL CHECK (environment <> ''),
    hold_by     TEXT,
    hold_at     REAL,
    hold_reason TEXT,
    hold_bad    TEXT NOT NULL DEFAULT '[]',
    UNIQUE (service, environment),
    CHECK ((hold_by IS NULL) = (hold_at IS NULL) AND (hold_by IS NULL) = (hold_reason IS NULL))
) STRICT
"""

RELEASES = """
CREATE TABLE releases (
    placement        INTEGER NOT NULL REFERENCES placements (id),
    number           INTEGER NOT NULL CHECK (number > 0),
    operation        INTEGER NOT NULL,
    commit_sha       TEXT NOT NULL,
    tree             TEXT NOT NULL,
    subject          TEXT NOT NULL,
    author           TEXT NOT NULL,
    by               TEXT NOT NULL,
    created_at       REAL NOT NULL,
    commits          INTEGER NOT NULL CHECK (commits >= 0),
    image            TEXT NOT NULL,
    spec             TEXT NOT NULL,
    slot             INTEGER CHECK (slot >= 0),
    took_traffic_at  REAL,
    live_since       REAL,
    left_traffic_at  REAL,
    served_seconds   REAL NOT NULL CHECK (served_seconds >= 0),
    good_at          REAL,
    baking_until     REAL,
    hot_until        REAL,
    stopped          INTEGER NOT NULL CHECK (stopped IN (0, 1)),
    rolled_back_at   REAL,
    bad_reason       TEXT NOT NULL,
    failed           INTEGER NOT NULL CHECK (failed IN (0, 1)),
    image_removed    INTEGER NOT NULL CHECK (image_removed IN (0, 1)),
    PRIMARY KEY (placement, number),
    CHECK (live_since IS NULL OR took_traffic_at IS NOT NULL),
    CHECK (live_since IS NULL OR hot_until IS NULL),
    CHECK (NOT (failed AND took_traffic_at IS NOT NULL))
) STRICT
"""

SLOTS = """
CREATE TABLE slots (
    slot      INTEGER PRIMARY KEY CHECK (slot >= 0),
    placement INTEGER NOT NULL,
    release   INTEGER NOT NULL,
    leased_at REAL NOT NULL,
    freed_at  REAL,
    FOREIGN KEY (placement, release) REFERENCES releases (placement, number)
) STRICT
"""

OPERATIONS = """
CREATE TABLE operations (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    placement     INTEGER NOT NULL REFERENCES placements (id),
    kind          TEXT NOT NULL CHECK (kind IN ('deploy', 'rollback')),
    state         TEXT NOT NULL
                  CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled', 'interrupted', 'stuck')),
    actor         TEXT NOT NULL,
    actor_uid     INTEGER NOT NULL,
    actor_login   TEXT NOT NULL,
    actor_claimed TEXT NOT NULL,
    started_at    REAL NOT NULL,
    switched_at   REAL,
    ended_at      REAL,
    from_release  INTEGER,
    to_release    INTEGER,
    commit_sha    TEXT NOT NULL,
    subject       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    tier          TEXT NOT NULL DEFAULT '',
    summary       TEXT NOT NULL DEFAULT '',
    failure       TEXT,
    CHECK ((state = 'running') = (ended_at IS NULL))
) STRICT
"""

STEPS = """
CREATE TABLE steps (
    operation  INTEGER NOT NULL REFERENCES operations (id),
    position   INTEGER NOT NULL,
    name       TEXT NOT NULL CHECK (name <> ''),
    state      TEXT NOT NULL DEFAULT 'pending'
               CHECK (state IN ('pending', 'running', 'done', 'failed', 'skipped')),
    started_at REAL,
    ended_at   REAL,
    detail     TEXT NOT NULL DEFAULT '',
    log_offset INTEGER,
    PRIMARY KEY (operation, position),
    UNIQUE (operation, name)
) STRICT, WITHOUT ROWID
"""

EVENTS = """
CREATE TABLE events (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    operation INTEGER NOT NULL REFERENCES operations (id),
    kind      TEXT NOT NULL CHECK (kind IN ('begin', 'intent', 'outcome', 'switched', 'end')),
    step      TEXT NOT NULL,
    state     TEXT NOT NULL,
    text      TEXT NOT NULL,
    at        REAL NOT NULL
) STRICT
"""

ENTRIES = """
CREATE TABLE entries (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        REAL NOT NULL,
    actor     TEXT NOT NULL,
    text      TEXT NOT NULL,
    placement INTEGER REFERENCES placements (id),
    operation INTEGER,
    cli       TEXT NOT NULL
) STRICT
"""

MINUTES = """
CREATE TABLE minutes (
    placement    INTEGER NOT NULL REFERENCES placements (id),
    at           REAL NOT NULL,
    probes       INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    probe_p95_ms REAL,
    requests     INTEGER NOT NULL,
    errors       INTEGER NOT NULL,
    p95_ms       REAL,
    PRIMARY KEY (placement, at)
) STRICT, WITHOUT ROWID
"""

INDEXES = (
    "CREATE UNIQUE INDEX releases_live ON releases (placement) WHERE live_since IS NOT NULL",
    "CREATE INDEX releases_hot ON releases (hot_until) WHERE hot_until IS NOT NULL",
    "CREATE INDEX releases_good ON releases (placement, number) WHERE good_at IS NOT NULL",
    "CREATE INDEX releases_retained ON releases (placement, number) WHERE image <> '' AND NOT image_removed",
    "CREATE INDEX releases_image ON releases (image)",
    "CREATE INDEX slots_release ON slots (placement, release)",
    "CREATE INDEX operations_placement ON operations (placement, id)",
    "CREATE INDEX operations_usual ON operations (placement, kind, state, id)",
    "CREATE INDEX operations_kind ON operations (kind, state, id)",
    "CREATE INDEX operations_running ON operations (id) WHERE state = 'running'",
    "CREATE INDEX events_operation ON events (operation, id)",
    "CREATE INDEX entries_placement ON entries (placement, id)",
)


def index_of(statement: str) -> str:
    """The table that a CREATE INDEX is for."""
    return statement.split(" ON ")[1].split()[0]


def only_added(table: str) -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are only ever added'); END"
        for verb in ("UPDATE", "DELETE")
    )


FIRST: tuple[str, ...] = (
    PLACEMENTS,
    RELEASES,
    SLOTS,
    OPERATIONS,
    STEPS,
    EVENTS,
    ENTRIES,
    MINUTES,
    *INDEXES,
    *only_added("events"),
    *only_added("entries"),
)
