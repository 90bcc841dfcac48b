"""What Compose's health check runs: ends with 0 when /up answers 200."""

import sys
from urllib.request import urlopen

if __name__ == "__main__":
    with urlopen("http://127.0.0.1:8000/up", timeout=5) as answer:
        sys.exit(answer.status != 200)
