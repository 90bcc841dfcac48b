"""A shop that runs with Compose behind nginx, made offline, and the way from there to the cockpit."""
