"""Runs every bench in a process of its own and writes docs/benchmarks.md: `python -m bench.all`."""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.report import Limit, Result

NAMES = ("loss", "long", "adopt", "rollback", "startup", "overhead", "scale", "race", "chaos", "soak")
QUICK = frozenset({"race", "chaos", "soak"})  # whose whole form takes from half an hour to hours
ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    about: str
    limits: Sequence[Limit]
    result: Result | None  # None: it could not be measured
    why: str = ""


def main(names: Sequence[str] = NAMES) -> int:
    """Exit status 1 when something could not be measured or does not hold."""
    outcomes = [run(name) for name in names]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(outcomes, machine(), datetime.now(UTC)), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0 if all(holds(outcome) for outcome in outcomes) else 1


def run(name: str) -> Outcome:
    module = importlib.import_module(f"bench.{name}")
    print(f"— {name}", flush=True)
    command = [sys.executable, "-m", f"bench.{name}", "--json", *(["--quick"] if name in QUICK else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    lines = done.stdout.strip().splitlines()
    try:
        result: Result | None = json.loads(lines[-1])
    except (IndexError, ValueError):
        result = None
    about = " ".join((module.__doc__ or name).split("\n\n")[0].split(": `")[0].split())
    if name in QUICK:
        about += f" The short form, `--quick`; `python -m bench.{name}` is the whole one."
    return Outcome(name, about, module.LIMITS, result, f"ended with status {done.returncode}")


def holds(outcome: Outcome) -> bool:
    return outcome.result is not None and all(limit.holds(outcome.result) for limit in outcome.limits)


def page(outcomes: Iterable[Outcome], where: str, when: datetime) -> str:
    head = (
        "# Benchmarks\n\n"
        f"Measured {when:%Y-%m-%d} on {where}. `make bench` runs them again and writes this page; "
        "`python -m bench.NAME --json` runs one. Times are medians where nothing else is said; "
        "load and engine share the machine.\n"
    )
    return "\n".join((head, *(_section(outcome) for outcome in outcomes)))


def _section(outcome: Outcome) -> str:
    head = f"## bench.{outcome.name}\n\n{outcome.about}\n"
    if outcome.result is None:
        return f"{head}\nNot measured: {outcome.why}.\n"
    limits = {limit.field: limit for limit in outcome.limits}
    rows = (_row(name, value, limits.get(name), outcome.result) for name, value in outcome.result.items())
    return "\n".join((head, "| figure | measured | to hold |", "|---|---|---|", *filter(None, rows), ""))


def _row(name: str, value: object, limit: Limit | None, result: Result) -> str:
    if value is None and limit is None:
        return ""
    held = "" if limit is None else f"{str(limit).removeprefix(name).strip()} {'✔' if limit.holds(result) else '✖'}"
    return f"| {name} | {value} | {held} |"


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {_docker()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _docker() -> str:
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "Docker unknown"
    return f"Docker {done.stdout.strip() or 'unknown'}"


if __name__ == "__main__":
    raise SystemExit(main())
