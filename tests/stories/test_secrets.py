"""Secret values reach the process, and nothing else that is written down."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cockpit.json_form import encode
from cockpit.model import OperationState
from cockpit.protocol import DEPLOY_SHEET, CheckState, CommitRequest
from tests.stories import services
from tests.stories.world import World, key, world

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

VALUES = {"FROM_FILE": "f1le-Qm9sdA7", "FROM_ENVIRONMENT": "env-TnV0cw93", "FROM_COMMAND": "c0mmand-V2FzaGVy"}
VARIABLE = "STORY_PAYMENT_KEY"  # in the engine's environment
START = """for name in FROM_FILE FROM_ENVIRONMENT FROM_COMMAND; do
    eval "value=\\$$name"
    echo "$name $(printf %s "$value" | sha256sum)"
done
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vault() -> AsyncIterator[World]:
    async with world() as made:
        file, script = made.root / "payment-key", made.root / "fetch-key"
        file.write_text(f"{VALUES['FROM_FILE']}\n")
        script.write_text(f"#!/bin/sh\necho {VALUES['FROM_COMMAND']}\n")
        script.chmod(0o700)
        made.configure(
            "vault",
            secrets={
                "FROM_FILE": {"file": str(file)},
                "FROM_ENVIRONMENT": {"environment": VARIABLE},
                "FROM_COMMAND": {"command": [str(script)]},
            },
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, VALUES["FROM_ENVIRONMENT"])
            await made.up()
            yield made


def written(directory: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() for each in directory.rglob("*") if each.is_file()}


async def test_secrets_reach_the_process_and_are_written_down_nowhere_but_in_dockers_own_record(vault: World) -> None:
    commit = vault.commit("vault", services.web(vault.runtime, start=START + services.START), "Take money")
    operation = await vault.ships("vault", commit)
    container = vault.host.name("vault", 1)
    log, record = vault.host.log(container), str(vault.host.inspect(container)["Config"]["Env"])
    image: Any = vault.host.client.images.get(vault.host.inspect(container)["Image"])
    told = "\n".join(await vault.log_of(operation)) + str(encode(await vault.snapshot())) + str(encode(operation))
    told += str(image.history()) + str(image.attrs)
    files = written(vault.paths.state)
    assert str(vault.paths.database) in files
    for name, value in VALUES.items():
        assert f"{name} {hashlib.sha256(value.encode()).hexdigest()}" in log
        assert f"'{name}={value}'" in record
        assert value not in told
        assert [path for path, content in files.items() if value.encode() in content] == []


async def test_a_secret_that_is_missing_fails_the_preflight_by_name_before_anything_is_done(vault: World) -> None:
    live = await vault.live("vault")
    (vault.root / "payment-key").rename(vault.root / "mislaid")
    commit = vault.commit("vault", {"notes": "two"})
    sheet = await vault.client.call(DEPLOY_SHEET, CommitRequest(key("vault"), live.commit))
    assert [each.name for each in sheet.checks if each.state is CheckState.FAIL] == ["secrets"]
    failed = await vault.deploy("vault", commit)
    assert failed.state is OperationState.FAILED
    assert failed.failure is not None
    assert failed.failure.step == "preflight"
    assert "secret FROM_FILE" in failed.failure.summary
    assert failed.failure.next
    assert (await vault.live("vault")).number == live.number
    assert [each.number for each in await vault.releases("vault")] == [live.number]
