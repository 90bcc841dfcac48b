# mypy: ignore-errors
"""Brings the database up to date; a second run changes nothing."""

import time

import psycopg

from shop import DATABASE

PATIENCE = 30.0  # seconds for a database that starts as well
TABLES = """
create table if not exists orders (
  id bigint generated always as identity primary key,
  name text not null,
  taken_by text not null,
  sent_by text
);
create index if not exists waiting on orders (id) where sent_by is null;
"""


def connect() -> psycopg.Connection:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return psycopg.connect(DATABASE)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    with connect() as connection:
        connection.execute(TABLES)
    print("the tables are up to date")
