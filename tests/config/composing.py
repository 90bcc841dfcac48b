"""Compose files in a directory of their own, and what becomes of them."""

from __future__ import annotations

import itertools
import textwrap
from pathlib import Path

from cockpit.config.compose.building import Repository
from cockpit.config.compose.convert import Conversion, convert
from cockpit.config.load import load
from cockpit.config.settings import Process, Service, Settings

URL = "git@git.example.com:acme/shop.git"


class Composing:
    """A project called `shop`; its directory is the work tree."""

    def __init__(self, path: Path) -> None:
        self.directory = path / "shop"
        self.config = path / "etc"
        self.directory.mkdir()
        self.config.mkdir()
        self.made: Conversion | None = None

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def convert(self, text: str, *named: str, name: str = "") -> Conversion:
        self.made = self.convert_path(self.write("compose.yaml", text), *named, name=name)
        return self.made

    def convert_path(self, path: Path, *named: str, name: str = "") -> Conversion:
        return convert(path, Repository(URL, self.directory), self.config, name=name, named=named)

    def settings(self, text: str, *named: str) -> Settings:
        path = self.config / "config.yaml"
        path.write_text(self.convert(text, *named).text)
        path.chmod(0o600)
        return load(path)

    def uncommented(self) -> Settings:
        """Of the last file, when a person puts the edge that is commented out in the place of the other."""
        before, _, after = self.text().partition("\nedge:\n")
        _, _, block = after.partition("\n# edge:\n")
        lines = itertools.takewhile(lambda line: line.startswith("#"), block.splitlines())
        path = self.config / "uncommented.yaml"
        path.write_text("\n".join([before, "edge:", *(line.removeprefix("# ") for line in lines), ""]))
        path.chmod(0o600)
        return load(path)

    def service(self, text: str, *named: str) -> Service:
        return self.settings(text, *named).placements[0].service

    def process(self, keys: str) -> Process:
        """Of a service `web` with a build and these keys, which are indented as a map is."""
        return self.service(web(keys)).main

    def left(self) -> dict[tuple[str, str], str]:
        """Service and key -> why, of the last file."""
        assert self.made is not None
        return {(each.service, each.key): each.why for each in self.made.left}

    def text(self) -> str:
        assert self.made is not None
        return self.made.text


def web(keys: str) -> str:
    return f"services:\n  web:\n    build: .\n{textwrap.indent(textwrap.dedent(keys).strip(chr(10)), '    ')}\n"
