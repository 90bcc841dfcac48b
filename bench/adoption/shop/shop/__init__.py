"""A small shop: orders come in, a worker sends them."""

import os

RELEASE = os.environ.get("COCKPIT_RELEASE", "compose")
COMMIT = os.environ.get("COCKPIT_COMMIT", "-")
DATABASE = os.environ.get("DATABASE_URL", "")
