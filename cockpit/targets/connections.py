"""One kept connection for a client of the SDK, which by itself keeps one for each path that it was ever asked for.

Imported only where Docker is spoken to: it loads the SDK.
"""

from __future__ import annotations

from docker import APIClient
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnectionPool


def share(client: APIClient) -> None:
    """From now on; before its first request."""
    theirs = client.get_adapter(client.base_url)
    if isinstance(theirs, UnixHTTPAdapter):
        client.mount("http+docker://", _Adapter(f"http+unix://{theirs.socket_path}", theirs.timeout))


class _Adapter(UnixHTTPAdapter):
    def get_connection(self, url: bytes | str, proxies: object = None) -> UnixHTTPConnectionPool:
        """Every path is asked for at the same socket."""
        return super().get_connection("http+docker://")
