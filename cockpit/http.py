"""The one file that knows httpx: HTTP over a Unix socket or to a URL, with one deadline for the whole exchange."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

BODY_LIMIT = 64 * 1024  # bytes kept of an answer, unless the caller says otherwise


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` 0 means that none came; then `error` says why in two or three words. Header names are lower case."""

    status: int
    ms: float
    body: bytes = b""
    location: str = ""
    error: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Http:
    """Keeps connections. No redirects, no proxy from the environment, no cookies.

    Certificates are not judged: who is asked is known by the address, and what it serves is the question."""

    def __init__(self, socket: Path | None = None) -> None:
        import httpx

        # As many at once as are asked: behind a cap, a hundred hung replicas would make the healthy ones look late.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        transport = httpx.AsyncHTTPTransport(verify=_unjudged(), uds=str(socket) if socket else None, limits=limits)
        self._client: httpx.AsyncClient = httpx.AsyncClient(
            transport=transport, trust_env=False, follow_redirects=False, timeout=None
        )

    async def ask(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        limit: int = BODY_LIMIT,
        name: str = "",
    ) -> Answer:
        """`name` is what an https listener is asked for, where the URL has an address."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(method, url, headers, content, limit, name, started)
        except TimeoutError:
            return Answer(0, (loop.time() - started) * 1000, error=f"no answer within {timeout:g} s")

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: dict[str, str] | None,
        content: bytes | None,
        limit: int,
        name: str,
        started: float,
    ) -> Answer:
        import httpx

        loop = asyncio.get_running_loop()
        sni = {"sni_hostname": name} if name else {}
        try:
            async with self._client.stream(method, url, headers=headers, content=content, extensions=sni) as response:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) >= limit:
                        break
                return Answer(
                    response.status_code,
                    (loop.time() - started) * 1000,
                    body[:limit],
                    response.headers.get("location", ""),
                    headers=dict(response.headers),
                )
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
            return Answer(0, (loop.time() - started) * 1000, error=_words(error))

    async def close(self) -> None:
        await self._client.aclose()


@cache
def _unjudged() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    for sign, words in (
        ("refused", "connection refused"),
        ("No such file", "no such socket"),
        ("disconnected", "closed without an answer"),
        ("ReadError", "closed without an answer"),  # reset: httpx has no words for it
        ("WriteError", "closed without an answer"),
    ):
        if sign in text:
            return words
    return text[:120]
