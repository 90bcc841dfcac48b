# mypy: ignore-errors
"""What takes its time: slow requests, WebSockets, uploads and event streams. Needs no database; runs alone as well."""

import asyncio
import hashlib
import secrets
from pathlib import Path

from aiohttp import WSMsgType, web

from shop import COMMIT, RELEASE

LONGEST = 60.0  # seconds
UPLOADS = Path("uploads")


async def slow(request):
    await asyncio.sleep(min(LONGEST, float(request.query.get("seconds", "20"))))
    return web.Response(text=f"shop {RELEASE} {COMMIT} slow\n")


async def upload(request):
    """Kept under its digest, which is the answer."""
    UPLOADS.mkdir(exist_ok=True)
    digest, incoming = hashlib.sha256(), UPLOADS / secrets.token_hex(8)
    with incoming.open("wb") as file:
        async for piece in request.content.iter_any():
            digest.update(piece)
            file.write(piece)
    incoming.rename(UPLOADS / digest.hexdigest())
    return web.Response(text=f"{digest.hexdigest()}\n")


async def uploaded(request):
    return web.FileResponse(UPLOADS / Path(request.match_info["digest"]).name)


async def events(request):
    """Numbered, one a second."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    for number in range(min(int(LONGEST), int(request.query.get("count", "20")))):
        await response.write(f"id: {number}\ndata: {RELEASE}\n\n".encode())
        await asyncio.sleep(1)
    await response.write_eof()
    return response


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"{RELEASE} {message.data}")
    return socket


async def up(request):
    return web.Response(text="ok\n")


async def name(request, response):
    response.headers["X-Release"] = RELEASE


ROUTES = (
    web.get("/slow", slow),
    web.post("/uploads", upload),
    web.get("/uploads/{digest}", uploaded),
    web.get("/events", events),
    web.get("/echo", echo),
)


def application():
    app = web.Application()
    app.on_response_prepare.append(name)
    app.add_routes((web.get("/up", up), *ROUTES))
    return app


if __name__ == "__main__":
    web.run_app(application(), port=8000, access_log=None)
