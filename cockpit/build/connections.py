"""The SDK's Unix sockets, told as they are opened: a request that has no answer yet can be cut off, too.

Imported only where Docker is spoken to: it loads the SDK.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from docker import APIClient
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

Opened = Callable[[socket.socket], None]


def watch(client: APIClient, opened: Opened) -> None:
    """Tells each socket that the client opens from now on; nothing for a host that is reached over TCP."""
    theirs = client.get_adapter(client.base_url)
    if isinstance(theirs, UnixHTTPAdapter):
        client.mount("http+docker://", _Adapter(theirs, opened))


class _Connection(UnixHTTPConnection):
    opened: Opened

    def connect(self) -> None:
        super().connect()
        if self.sock is not None:
            self.opened(self.sock)


class _Pool(UnixHTTPConnectionPool):
    opened: Opened

    def _new_conn(self) -> UnixHTTPConnection:  # type: ignore[override]  # as in the SDK's own
        made = _Connection(self.base_url, self.socket_path)
        made.opened = self.opened
        return made


class _Adapter(UnixHTTPAdapter):
    def __init__(self, theirs: UnixHTTPAdapter, opened: Opened) -> None:
        super().__init__(f"http+unix://{theirs.socket_path}", theirs.timeout)
        self._opened = opened

    def get_connection(self, url: bytes | str, proxies: object = None) -> UnixHTTPConnectionPool:
        pool = _Pool(str(url), self.socket_path, self.timeout)
        pool.opened = self._opened
        self.pools[url] = pool  # closed with the client
        return pool
