# mypy: ignore-errors
"""Sends orders, oldest first. Several may run: each takes what no other holds."""

import signal
import threading

from shop import RELEASE
from shop.migrate import connect

IDLE = 0.2  # seconds
SEND = """
update orders set sent_by = %s where id = (
  select id from orders where sent_by is null order by id limit 1 for update skip locked
) returning id
"""


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with connect() as connection:
        connection.autocommit = True
        print(f"worker {RELEASE} is ready")
        while not stop.is_set():
            if connection.execute(SEND, (RELEASE,)).fetchone() is None:
                stop.wait(IDLE)
    print("worker ends, nothing half done")


if __name__ == "__main__":
    main()
