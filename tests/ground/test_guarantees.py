"""docs/guarantees.md names only proofs that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
TESTS = sorted(set(re.findall(r"tests/[\w/]+\.py(?:::\w+)?", TEXT)))
BENCHES = sorted(set(re.findall(r"bench\.(\w+)", TEXT)))


def test_each_promise_has_a_proof_and_a_figure_or_a_dash() -> None:
    assert len(ROWS) > 25
    for row in ROWS:
        promise, proof, figure = (cell.strip() for cell in row.strip("|").split("|"))
        assert promise, row
        assert re.search(r"tests/|bench\.", proof), row
        assert figure, row


@pytest.mark.parametrize("named", TESTS)
def test_each_test_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    assert (ROOT / path).exists()
    assert not name or re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", BENCHES)
def test_each_bench_is_there(name: str) -> None:
    assert (ROOT / "bench" / f"{name}.py").exists()
