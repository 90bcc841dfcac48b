"""The shop as it runs before: a git repository of its own, brought up by Compose behind nginx."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.adoption import images, project
from bench.report import Say
from cockpit.errors import TargetError, UsageError

UP = 60.0  # seconds until the shop answers
PROGRAMS = ("docker-compose", "git")


@dataclass(frozen=True, slots=True)
class Shop:
    """`path` is the project's directory: a git work tree with a compose.yaml, as anyone's."""

    path: Path
    name: str  # of the Compose project, and so the beginning of its network's and volumes' names
    nginx: int  # the port that customers use
    web: int  # where Compose publishes the application, which nginx passes on to

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.nginx}/orders"

    @property
    def nginx_conf(self) -> Path:
        return self.path / "nginx" / "nginx.conf"

    def compose(self, *arguments: str) -> str:
        return run("docker-compose", *arguments, at=self.path)

    def pass_to(self, old: int, new: int) -> None:
        """The one line of nginx.conf, then its reload."""
        text = self.nginx_conf.read_text()
        self.nginx_conf.write_text(
            text.replace(f"proxy_pass http://127.0.0.1:{old};", f"proxy_pass http://127.0.0.1:{new};")
        )
        self.compose("exec", "-T", "nginx", "nginx", "-s", "reload")

    def sql(self, statement: str) -> str:
        return self.compose("exec", "-T", "db", "psql", "-h", "/tmp", "-U", "shop", "-Atc", statement, "shop").strip()


def make(path: Path, say: Say) -> Shop:
    """Writes and commits it. Blocks: for seconds, when the images are not there yet. Raises UsageError, TargetError."""
    lacking = [program for program in PROGRAMS if not shutil.which(program)]
    if lacking:
        raise UsageError(f"{', '.join(lacking)} not found here", f"apt-get install {' '.join(lacking)}")
    tags = images.make(say=say)
    nginx, web = free_ports(2)
    shop = Shop(path, f"shop{secrets.token_hex(3)}", nginx, web)
    words = {name.upper(): tag for name, tag in tags.items()} | {
        "PROJECT": shop.name,
        "NGINX_PORT": str(nginx),
        "WEB_PORT": str(web),
        "PASSWORD": secrets.token_hex(8),
    }
    for file, text in project.make(words).items():
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_text(text)
    commit(shop, "Sell things")
    _publish(shop, path.with_suffix(".git"))
    return shop


def _publish(shop: Shop, remote: Path) -> None:
    """A remote of its own, which is where the cockpit asks for commits."""
    run("git", "clone", "--quiet", "--bare", str(shop.path), str(remote), at=shop.path)
    _git(shop, "remote", "add", "origin", str(remote))


def commit(shop: Shop, subject: str) -> str:
    """Everything that is there, as one commit on main. Its sha."""
    if not (shop.path / ".git").exists():
        _git(shop, "init", "--quiet", "--initial-branch=main")
    _git(shop, "add", "--all")
    _git(shop, "-c", "user.name=Maya", "-c", "user.email=maya@shop.example", "commit", "--quiet", "-m", subject)
    return _git(shop, "rev-parse", "HEAD").strip()


def _git(shop: Shop, *arguments: str) -> str:
    return run("git", *arguments, at=shop.path)


async def up(shop: Shop) -> None:
    """Returns when it answers through nginx."""
    await asyncio.to_thread(_up, shop)
    deadline = asyncio.get_running_loop().time() + UP
    while not await _answers(shop):
        if asyncio.get_running_loop().time() > deadline:
            raise TargetError(f"the shop does not answer within {UP:g} s", shop.compose("logs", "--tail", "5"))
        await asyncio.sleep(0.2)


def _up(shop: Shop) -> None:
    shop.compose("build", "--quiet")
    shop.compose("up", "--detach")


async def _answers(shop: Shop) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", shop.nginx)
    except OSError:
        return False
    try:
        writer.write(b"GET /up HTTP/1.0\r\n\r\n")
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()


def down(shop: Shop) -> None:
    """All of it, with volumes and the images built for it; what the cockpit runs is not touched."""
    shop.compose("down", "--volumes", "--rmi", "local", "--timeout", "3")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def run(*command: str, at: Path) -> str:
    """Raises TargetError with the end of what it said."""
    done = subprocess.run(
        command, cwd=at, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise TargetError(f"{' '.join(command[:3])} ended with {done.returncode}: {said[-400:]}")
    return done.stdout
