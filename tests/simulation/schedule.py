"""What may happen next in a story, and stories made of it by chance."""

from __future__ import annotations

from random import Random

FLAVOURS = ("good", "good", "good", "good", "slow", "unhealthy", "silent", "crashing", "refused", "sickens", "dies")
WAITS = ("0.05", "0.3", "1", "3", "8", "20", "60")
DOCKER = ("down", "hung", "rebooted", "", "")
EDGE = ("refuses", "loses", "broken", "silent", "", "", "")
DISK = ("full", "broken", "", "")
BEGINNING = (
    "start",
    "b/start",
    "wait:5",
    "deploy:good",
    "wait:15",
    "deploy:good",
    "wait:15",
)  # customers, and a way back
CLOCK = ("31536000", "-3600", "0")
LOSSY = ("0.05", "0.2", "0")
PAUSES = ("0.5", "4", "12", "25", "e1", "e2", "e3", "e4")
POWER = ("off", "on")
OF_A_BASTION = frozenset(
    {"deploy", "rollback", "restart", "cancel", "crash", "stop", "disk", "clock", "pause", "power", "takeover"}
)
BASTIONS = ("", "b/")


def stories(seed: int, length: int) -> list[str]:
    """The steps of one story."""
    random = Random(seed)
    return [*BEGINNING, *(_step(random) for _ in range(length))]


def _step(random: Random) -> str:
    (verb,) = random.choices(
        ("deploy", "rollback", "restart", "cancel", "wait", "crash", "stop", "docker", "edge", "disk", "clock",
         "lossy", "pause", "power", "takeover"),
        (14, 8, 4, 4, 34, 10, 2, 6, 5, 5, 3, 2, 6, 3, 2),
    )  # fmt: skip
    choices = {
        "deploy": FLAVOURS,
        "wait": WAITS,
        "docker": DOCKER,
        "edge": EDGE,
        "disk": DISK,
        "clock": CLOCK,
        "lossy": LOSSY,
        "pause": PAUSES,
        "power": POWER,
        "crash": ("", f"{random.randrange(1, 400)}", f"e{random.randrange(1, 6)}"),
    }
    argument = random.choice(choices.get(verb, ("",)))
    where = random.choice(BASTIONS) if verb in OF_A_BASTION else ""
    return f"{where}{verb}:{argument}" if argument else f"{where}{verb}"
