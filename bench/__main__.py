"""All benches, one after the other, written down in docs/benchmarks.md with the machine and the date."""

from __future__ import annotations

import sys

from bench.all import main

if __name__ == "__main__":
    sys.exit(main())
