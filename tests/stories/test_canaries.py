"""Values from every kind of source, said by an application in every form: nothing of ours has them afterwards.

Docker's own record of a container, and what it keeps of the container's output, are not ours and must have them.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cockpit.errors import CockpitError
from cockpit.mask import MARK
from cockpit.model import OperationState
from cockpit.protocol import (
    DEPLOY,
    DEPLOY_SHEET,
    DIFF,
    EXEC,
    EXEC_ENDED,
    OPERATION,
    OPERATIONS,
    RELEASES,
    ROLLBACK_SHEET,
    UNHOLD,
    CommitRequest,
    DeployRequest,
    ExecEnded,
    ExecRequest,
    For,
    LogKind,
    LogRequest,
    OperationRequest,
    OperationsRequest,
    UnholdRequest,
)
from tests.stories import services
from tests.stories.canaries import BACK, Sampler, Wire, all_forms, forms, leaks, turned, written
from tests.stories.world import World, key, succeeded, world

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

VARIABLE = "STORY_CANARY"  # in the engine's environment
SAYS_ALL = f"""env; {BACK} < /app/leak; {BACK} < /app/leak >&2
printf %s "$FROM_FILE" | base64; printf "x%s" "$FROM_COMMAND" | base64
head -c 16300 /dev/zero | tr '\\0' .; echo "$FROM_FILE"
"""


class Canaries:
    """`everywhere` may not be in any process's environment outside of containers; the engine's own variable is."""

    def __init__(self) -> None:
        def bird(name: str) -> str:
            return f"{name}-{secrets.token_urlsafe(18)}"

        self.file = f'{bird("file")}/+"q\\uote" <&> ü%'
        self.lines = "\n".join(("-----BEGIN " + bird("pem"), bird("first+/line"), "  " + bird('second"line'), "end"))
        self.environment = bird("env ironment")
        self.command = bird("com&mand=")
        self.env_file = bird("envfile$HOME`id`")
        self.registry = bird("registry")
        self.everywhere = {self.file, self.lines, self.command, self.env_file, self.registry}
        self.all = {*self.everywhere, self.environment}

    def write(self, root: Path) -> dict[str, Any]:
        """The service's keys that name them, and the files that have them."""
        place = root / "sources"
        place.mkdir(mode=0o700)
        (place / "file").write_text(f"{self.file}\n")
        (place / "lines").write_text(f"{self.lines}\n")
        (place / "registry").write_text(self.registry)
        (place / "said").write_text(self.command)
        (place / "app.env").write_text(f"FROM_ENV_FILE='{self.env_file}'\n")
        script = place / "command"
        script.write_text(f"#!/bin/sh\ncat {place}/said\n")
        script.chmod(0o700)
        return {
            "secrets": {
                "FROM_FILE": {"file": str(place / "file")},
                "LINES": {"file": str(place / "lines")},
                "FROM_ENVIRONMENT": {"environment": VARIABLE},
                "FROM_COMMAND": {"command": [str(script)]},
            },
            "env_file": str(place / "app.env"),
            "migrate": "sh /app/migrate",
        }

    @property
    def leak(self) -> str:
        """Every form of every value, in letters that a container turns back."""
        said = [f"{form}\n" for value in sorted(self.all) for form in sorted(forms(value))]
        said += [f"both {one}{two}\n" for one, two in zip(sorted(self.all), sorted(self.all)[1:], strict=False)]
        return turned("".join(said))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mine() -> AsyncIterator[tuple[World, Canaries]]:
    canaries = Canaries()
    async with world() as made:
        made.more = {
            "registry": {
                "server": "registry.example.com",
                "username": "robot",
                "password": {"file": str(made.root / "sources" / "registry")},
            }
        }
        made.configure("vault", **canaries.write(made.root))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, canaries.environment)
            await made.up()
            yield made, canaries


def files(made: World, canaries: Canaries, **changed: str) -> services.Files:
    dockerfile = services.DOCKERFILE.format(runtime=made.runtime) + f"RUN {BACK} < /app/leak; {BACK} < /app/leak >&2\n"
    usual = {
        "Dockerfile": dockerfile,
        "leak": canaries.leak,
        "migrate": SAYS_ALL,
        "start": SAYS_ALL + services.START,
    }
    return services.web(made.runtime, **usual | changed)


async def test_an_application_that_says_its_secrets_in_every_form_leaves_none_of_them_in_what_is_ours(
    mine: tuple[World, Canaries],
) -> None:
    made, canaries = mine
    wanted = all_forms(canaries.all)
    sampler = Sampler()
    with sampler.looking():
        wire = await Wire.tap(made.paths.socket)
        said = await _story(made, canaries, wire)
    assert sampler.rounds > 10
    heard = bytes(wire.heard)
    assert heard.count(MARK.encode()) > 100
    assert leaks({"the wire": heard}, wanted) == []
    assert leaks({name: text.encode() for name, text in said.items()}, wanted) == []
    on_disk = written(made.paths.state, made.paths.socket.parent)
    assert str(made.paths.database) in on_disk
    assert any(MARK.encode() in content for name, content in on_disk.items() if name.endswith(".log"))
    assert leaks(on_disk, wanted) == []
    assert leaks(_left_in_tmp(), all_forms({canaries.registry})) == []
    argv = {name: content for name, content in sampler.seen.items() if name.startswith("argv")}
    assert leaks(argv, wanted) == []
    assert leaks(sampler.seen, all_forms(canaries.everywhere)) == []
    recorded, environments = _dockers_record(made)
    assert leaks(recorded, wanted) == []
    assert all(value in environments for value in canaries.all - {canaries.registry})


async def _story(made: World, canaries: Canaries, wire: Wire) -> dict[str, str]:
    """A deploy, one that fails, a rollback, a command; and everything that people look at afterwards."""
    first = await made.ships("vault", made.commit("vault", files(made, canaries), "Take money"))
    second = await made.ships("vault", made.commit("vault", files(made, canaries, notes="two"), "Take more"))
    bad = 'env >&2; echo "Error: password authentication failed for $FROM_COMMAND $LINES" >&2; exit 3\n'
    failed = await made.deploy("vault", made.commit("vault", files(made, canaries, start=bad), "Break"))
    broken = made.commit("vault", files(made, canaries, migrate=f"{SAYS_ALL}echo Error: $FROM_FILE >&2; exit 1\n"))
    unmigrated = await made.deploy("vault", broken)
    assert failed.state is unmigrated.state is OperationState.FAILED
    assert failed.failure is not None
    assert unmigrated.failure is not None
    assert MARK in failed.failure.line
    assert MARK in unmigrated.failure.line
    back = await made.goes_back("vault", to=1)
    reason = f"it said {canaries.file} and {canaries.command}"
    await wire.ask(UNHOLD, UnholdRequest(key("vault"), reason=reason))
    ticket = await made.client.call(EXEC, ExecRequest(key("vault"), ("sh", "-c", f"echo {canaries.command}")))
    await wire.ask(EXEC_ENDED, ExecEnded(ticket.id, 0))
    careless = made.commit("vault", {"notes": f"the key is {canaries.file}\n"}, f"Note {canaries.command}")
    await made.reread("vault")
    for operation in (first, second, failed, unmigrated, back):
        await wire.ask(OPERATION, OperationRequest(operation.id))
        await wire.log(LogRequest(LogKind.OPERATION, operation=operation.id, follow=False))
    await wire.ask(DIFF, CommitRequest(key("vault"), careless))
    await wire.ask(DEPLOY_SHEET, CommitRequest(key("vault"), careless))
    await wire.ask(ROLLBACK_SHEET, For(key("vault")))
    await wire.ask(RELEASES, For(key("vault")))
    await wire.ask(OPERATIONS, OperationsRequest(key("vault")))
    await wire.log(LogRequest(LogKind.SERVICE, key("vault"), follow=False))
    await wire.log(LogRequest(LogKind.CONTAINER, container=made.host.name("vault", 2), follow=False))
    await wire.ask(DEPLOY, DeployRequest(key("vault"), canaries.command))  # no such commit, says the error
    said = {
        " ".join(words): await made.says(*words)
        for words in (
            ("status",),
            ("releases", "vault"),
            ("show", str(failed.id)),
            ("logs", str(first.id)),
            ("logs", "vault", "production"),
            ("pending", "vault"),
            ("audit",),
            ("audit", "--json"),
            ("doctor",),
        )
    }
    assert MARK in said[f"logs {first.id}"]
    assert MARK in said["audit"]
    return said


def _left_in_tmp() -> dict[str, bytes]:
    found = [each for each in Path(tempfile.gettempdir()).glob("cockpit-*") if each.is_dir()]
    return written(*found)


def _dockers_record(made: World) -> tuple[dict[str, bytes], str]:
    """What it shows of containers and images but their environments; and those."""
    recorded, environments = {}, ""
    for name in made.host.containers():
        found = made.host.inspect(name)
        environments += "\n".join(found["Config"].pop("Env"))
        recorded[name] = json.dumps(found).encode()
        image: Any = made.host.client.images.get(found["Image"])
        recorded[f"image of {name}"] = json.dumps([image.attrs, image.history()]).encode()
    return recorded, environments


async def test_an_engine_that_has_resolved_nothing_yet_masks_what_a_container_was_given(
    mine: tuple[World, Canaries],
) -> None:
    """Also a value that its source has no longer."""
    made, canaries = mine
    live = (await made.placement("vault")).live
    if live is None:
        succeeded(await made.deploy("vault", made.commit("vault", files(made, canaries), "Take money")))
    await made.end_engine()
    await made.client.close()
    place = made.root / "sources"
    for name in ("file", "lines", "said"):
        (place / name).write_text("something-else")
    (place / "app.env").write_text("FROM_ENV_FILE=another\n")
    await made.up()
    wire = await Wire.tap(made.paths.socket)
    await wire.log(LogRequest(LogKind.SERVICE, key("vault"), follow=False))
    text = bytes(wire.heard)
    assert text.count(MARK.encode()) > 10
    assert leaks({"the wire": text}, all_forms(canaries.all - {canaries.registry})) == []
    await wire.hang_up()


async def test_an_error_that_quotes_a_value_is_masked_before_it_is_sent(mine: tuple[World, Canaries]) -> None:
    made, _ = mine
    await made.client.call(DEPLOY_SHEET, CommitRequest(key("vault"), (await made.live("vault")).commit))
    value = "something-else"  # what the file says by now
    with pytest.raises(CockpitError) as caught:
        await made.client.call(DEPLOY, DeployRequest(key("vault"), value))
    assert MARK in caught.value.message
    assert value not in caught.value.message
