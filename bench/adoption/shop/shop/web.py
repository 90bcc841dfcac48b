# mypy: ignore-errors
"""The application: orders on a pool of database connections, and what takes its time.

It wants HTTPS: who comes without it is sent there, as behind any proxy that says so in X-Forwarded-Proto.
"""

import os

from aiohttp import web
from psycopg_pool import AsyncConnectionPool

from shop import COMMIT, DATABASE, RELEASE, lasting

POOL = "pool"


@web.middleware
async def https_only(request, handler):
    if request.path != "/up" and request.headers.get("X-Forwarded-Proto") != "https":
        raise web.HTTPMovedPermanently(f"https://{request.host}{request.rel_url}")
    return await handler(request)


async def tell(request, response):
    response.headers["X-Release"] = RELEASE
    response.headers["X-Client"] = request.headers.get("X-Forwarded-For", "-")


async def up(request):
    async with request.app[POOL].connection() as connection:
        await connection.execute("select 1")
    return web.Response(text="ok\n")


async def newest(request):
    async with request.app[POOL].connection() as connection:
        await connection.execute("select max(id) from orders")
    return answer(request)


async def order(request):
    async with request.app[POOL].connection() as connection:
        name = request.query.get("id", "-")
        await connection.execute("insert into orders (name, taken_by) values (%s, %s)", (name, RELEASE))
    return answer(request)


def answer(request):
    return web.Response(text=f"shop {RELEASE} {COMMIT} {request.query.get('id', '-')}\n")


async def pool(app):
    size = int(os.environ.get("POOL", "8"))
    async with AsyncConnectionPool(DATABASE, min_size=2, max_size=size, open=False) as app[POOL]:
        yield


def application():
    app = web.Application(middlewares=[https_only])
    app.on_response_prepare.append(tell)
    app.cleanup_ctx.append(pool)
    app.add_routes((web.get("/up", up), web.get("/orders", newest), web.post("/orders", order), *lasting.ROUTES))
    return app


if __name__ == "__main__":
    web.run_app(application(), port=8000, access_log=None)
