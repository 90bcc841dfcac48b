"""What an answer to a health check says, in words for someone who has never seen the host. Pure."""

from __future__ import annotations

from cockpit.health.probe import REFUSED, Probe
from cockpit.model import Failure, Side

STEP = "verify"
_HTTPS = "the app redirects plain HTTP, though the probe says X-Forwarded-Proto: https"


def failure(probe: Probe, path: str, port: int | None, after: str = "") -> Failure:
    """Why a replica that answers like that never became healthy; `after` ends the summary (" for 5 s")."""
    status, asked = probe.status, f"GET {path} answered {probe.status}"
    if not status:
        return _silent(probe, path, port, after)
    if 300 <= status < 400:
        return _redirect(probe, path, after)
    side, means, then = _meaning(status, path)
    return Failure(STEP, side, f"{asked}{after}", means=means, next=then)


def wrong_listener(listeners: tuple[str, ...], port: int, after: str) -> Failure:
    """`listeners` are all that the container has, none of them where the edge asks."""
    listed = ", ".join(listeners)
    ports = {each.rpartition(":")[2] for each in listeners}
    if str(port) in ports:
        means = "it listens on loopback only, which nothing outside its container reaches"
        then = f"let it bind 0.0.0.0:{port}"
    else:
        found = ", ".join(sorted(ports, key=int))
        means = f"it listens on port {found}, and the configuration says port {port}"
        then = f"set `port: {found}` for the service, or let the app listen on 0.0.0.0:{port}"
    return Failure(
        STEP,
        Side.CONFIGURATION,
        f"nothing listens on port {port}{after}; it listens on {listed}",
        means=means,
        next=then,
    )


def _redirect(probe: Probe, path: str, after: str) -> Failure:
    where = f" to {probe.location}" if probe.location else ""
    means = "the health path redirects instead of answering, and a probe follows no redirect"
    then = f"let {path} answer 2xx itself, or set healthcheck.path to a path that does"
    if probe.location.startswith("https://"):
        means, then = _HTTPS, f"trust the proxy's X-Forwarded-Proto, or leave {path} out of the redirect"
    elif any(word in probe.location.lower() for word in ("login", "signin", "sign_in", "auth")):
        means = "the health path asks for a login"
    return Failure(
        STEP, Side.CONFIGURATION, f"GET {path} answered {probe.status}{where}{after}", means=means, next=then
    )


def _silent(probe: Probe, path: str, port: int | None, after: str) -> Failure:
    if not probe.reached:
        return Failure(
            STEP,
            Side.INFRASTRUCTURE,
            f"{probe.error}{after}",
            means="the edge passes health checks on, so nothing is known about the release",
            next="`cockpit doctor` says how the edge is",
        )
    if probe.error == REFUSED:
        return Failure(
            STEP,
            Side.APPLICATION,
            f"nothing listens on port {port}{after}",
            means="the process runs, and has not opened its port: it still starts, hangs, or uses another port",
            next="read its log; raise deploy_timeout if it starts that slowly; compare `port` with what it uses",
        )
    return Failure(
        STEP,
        Side.APPLICATION,
        f"GET {path} got no answer{after}: {probe.error}",
        means="it takes the connection and does not answer: it waits for something, often a database",
        next="read its log; check what the health path itself waits for",
    )


def _meaning(status: int, path: str) -> tuple[Side, str, str]:
    if status in (401, 403):
        return (
            Side.CONFIGURATION,
            "the health path wants a login, or the app refuses this host name",
            f"let {path} answer without a login; allow the first of `hosts` (or the address) as a host name",
        )
    if status == 404:
        return Side.CONFIGURATION, "the app has no such path", "set healthcheck.path to one that it has"
    if status == 400:
        return (
            Side.CONFIGURATION,
            "the app refuses the request: often the host name is not among those it allows",
            "allow the first of `hosts` in the app's settings",
        )
    if status < 500:
        return Side.CONFIGURATION, "the app refuses the request", f"let {path} answer a plain GET with 2xx"
    return (
        Side.APPLICATION,
        "the app runs and says that it is not well: an error in it, or something it needs is missing",
        "read its log; check its database, its secrets and its environment",
    )
