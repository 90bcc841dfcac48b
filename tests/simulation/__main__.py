"""Replays a story: python -m tests.simulation SEED STEP…"""

from __future__ import annotations

import sys

from tests.simulation.story import Broken, Story


def main(arguments: list[str]) -> int:
    seed, *steps = arguments
    with Story(int(seed), trace=True) as story:
        try:
            for step in steps:
                story.take(step)
            story.settle()
        except Broken as broken:
            print(broken)
            return 1
        print(*story.witness.effects, *story.answers, "every invariant holds", sep="\n")
    return 0


sys.exit(main(sys.argv[1:]))
