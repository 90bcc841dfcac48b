"""What may happen next in a story, and stories made of it by chance."""

from __future__ import annotations

from random import Random

FLAVOURS = ("good", "good", "good", "good", "slow", "unhealthy", "silent", "crashing", "refused", "sickens", "dies")
WAITS = ("0.05", "0.3", "1", "3", "8", "20", "60")
DOCKER = ("down", "hung", "rebooted", "", "")
EDGE = ("refuses", "loses", "broken", "silent", "", "", "")
DISK = ("full", "broken", "", "")
BEGINNING = ("start", "wait:5", "deploy:good", "wait:15", "deploy:good", "wait:15")  # customers, and a way back
CLOCK = ("31536000", "-3600", "0")
LOSSY = ("0.05", "0.2", "0")


def stories(seed: int, length: int) -> list[str]:
    """The steps of one story."""
    random = Random(seed)
    return [*BEGINNING, *(_step(random) for _ in range(length))]


def _step(random: Random) -> str:
    (verb,) = random.choices(
        ("deploy", "rollback", "restart", "cancel", "wait", "crash", "stop", "docker", "edge", "disk", "clock",
         "lossy"),
        (14, 8, 4, 4, 34, 10, 2, 6, 5, 5, 3, 2),
    )  # fmt: skip
    choices = {
        "deploy": FLAVOURS,
        "wait": WAITS,
        "docker": DOCKER,
        "edge": EDGE,
        "disk": DISK,
        "clock": CLOCK,
        "lossy": LOSSY,
        "crash": ("", f"{random.randrange(1, 400)}", f"e{random.randrange(1, 6)}"),
    }
    argument = random.choice(choices.get(verb, ("",)))
    return f"{verb}:{argument}" if argument else verb
