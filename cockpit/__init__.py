"""Cockpit: deploy and roll back services that run on Docker, from a terminal."""

__version__ = "0.1.0"
