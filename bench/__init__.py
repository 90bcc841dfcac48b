"""Measurements against the real engine: `python -m bench` runs all, `python -m bench.loss --json` one."""
