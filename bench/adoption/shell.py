"""A terminal in the shop's directory: the page's commands, word by word, with this machine's ports.

nginx and Compose are asked by the names that the page uses for them: here one runs in a container, and the other may
be the older docker-compose.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.adoption.compose import Shop
from bench.report import Say
from cockpit.errors import TargetError

_COCKPIT = '#!/bin/sh\nexec "{python}" -m cockpit.cli.main "$@"\n'
_NGINX = '#!/bin/sh\ncd "{shop}" && exec docker-compose exec -T nginx nginx "$@"\n'
_DOCKER = '#!/bin/sh\nif [ "$1" = compose ]; then shift; exec docker-compose "$@"; fi\nexec "{docker}" "$@"\n'


@dataclass(frozen=True, slots=True)
class Shell:
    shop: Shop
    bin: Path  # in front of PATH
    state: Path  # the cockpit's
    config: Path
    say: Say

    def prepare(self) -> None:
        self.bin.mkdir()
        for name, text in (("cockpit", _COCKPIT), ("nginx", _NGINX), ("docker", _DOCKER)):
            program = self.bin / name
            program.write_text(text.format(python=sys.executable, shop=self.shop.path, docker=shutil.which("docker")))
            program.chmod(0o755)

    async def run(self, command: str) -> str:
        """What it printed. Raises TargetError with that when it ends with anything but 0."""
        self.say(f"$ {command}")
        process = await asyncio.create_subprocess_shell(
            command,
            cwd=self.shop.path,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment(),
        )
        said = (await process.communicate())[0].decode("utf-8", "replace")
        if process.returncode != 0:
            raise TargetError(f"“{command}” ended with {process.returncode}:\n{said.strip()}")
        return said

    def _environment(self) -> dict[str, str]:
        """The reader's own, but the cockpit's files are ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COCKPIT_")}
        ours = {"COCKPIT_STATE": str(self.state), "COCKPIT_CONFIG": str(self.config)}
        return {**kept, **ours, "PATH": f"{self.bin}:{os.environ.get('PATH', os.defpath)}"}
