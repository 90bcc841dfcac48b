"""docs/adopt.md as the bench reads it."""

from __future__ import annotations

import pytest

from bench.adoption.page import Block, blocks, placed, section, steps

TEXT = """# Title

## nginx in front

### 1. First

```sh
cd /srv/shop  # where it lies
cockpit init
```

### 2. Second

```diff
-proxy_pass http://127.0.0.1:8000;
+proxy_pass http://127.0.0.1:8100;
```

## Traefik in front

```sh
never
```
"""
CONF = "location / {\n  proxy_pass http://127.0.0.1:8000;\n}\n"


def test_a_section_ends_where_the_next_of_its_level_begins() -> None:
    first, second = steps(section(TEXT, "## nginx in front"))
    assert [command for block in blocks(first) for command in block.commands] == ["cd /srv/shop", "cockpit init"]
    assert [block.language for block in blocks(second)] == ["diff"]


def test_a_heading_that_is_not_there_is_said() -> None:
    with pytest.raises(ValueError, match="no heading"):
        section(TEXT, "## Apache in front")


def test_a_diff_of_one_line_goes_there_and_back() -> None:
    (line,) = (block for block in blocks(TEXT) if block.language == "diff")
    moved = line.changed(CONF)
    assert moved == CONF.replace("8000", "8100")
    assert line.changed(moved, back=True) == CONF


@pytest.mark.parametrize("conf", ["", CONF + CONF])
def test_a_line_that_is_not_there_exactly_once_is_not_changed(conf: str) -> None:
    line = Block("diff", "-proxy_pass http://127.0.0.1:8000;\n+proxy_pass http://127.0.0.1:8100;\n")
    with pytest.raises(ValueError, match="times there"):
        line.changed(conf)


def test_no_word_is_replaced_twice() -> None:
    assert placed("127.0.0.1:8000 127.0.0.1:8100", {"127.0.0.1:8000": "127.0.0.1:8100", "127.0.0.1:8100": "other"}) == (
        "127.0.0.1:8100 other"
    )
