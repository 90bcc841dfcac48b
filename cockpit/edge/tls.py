"""HTTPS at the edge, as Caddy's JSON: certificates, the redirect from plain HTTP, HSTS. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePath

from cockpit.edge.base import Listener, Route, Tls
from cockpit.edge.follow import Json
from cockpit.edge.routes import hosts_of, name
from cockpit.errors import ConfigError

NAMELESS = "edge.internal"  # what the internal issuer certifies for routes that answer to any name

Handle = Callable[[Route], list[Json]]
Secure = Mapping[str, tuple[Listener, Tls, list[Route]]]


def tls_app(secure: Secure, root: PurePath, files: Mapping[Path, str]) -> Json:
    """What to certify and how; {} without TLS. `files` are the copies that the edge has, by their originals.

    Raises ConfigError for names that nobody can be asked to certify."""
    policies, loaded, automate = [], [], []
    for listener, tls, routes in secure.values():
        _refuse_uncertifiable(tls, routes)
        loaded += [
            {"certificate": str(root / files[certificate]), "key": str(root / files[key])}
            for certificate, key in tls.certificates
        ]
        nameless = [NAMELESS] if _answers_any(tls, routes) else []
        automate += nameless
        names = [*certified(tls, routes), *nameless]
        if names and tls.issuer != "files":
            policies.append({"subjects": names, "issuers": [_issuer(listener, tls, root, files)]})
    if not secure:
        return {}
    certificates = {"load_files": loaded, "automate": automate}
    return {
        "certificates": {kind: some for kind, some in certificates.items() if some},
        "automation": {"policies": policies},
    }


def secured(tls: Tls, routes: list[Route]) -> Json:
    """What makes a server one of TLS. Automatic HTTPS is on here alone: it leaves out names that a file certifies."""
    wild = [host for route in routes for host in hosts_of(route) if "*" in host]
    policy = {"fallback_sni": NAMELESS} if _answers_any(tls, routes) else {}
    return {
        "protocols": ["h1", "h2", "h3"],
        "automatic_https": {
            "disable_redirects": True,
            "disable_certificates": tls.issuer == "files",
            "skip_certificates": wild if tls.issuer == "acme" else [],
        },
        "tls_connection_policies": [policy],
    }


def to_https(tls: Tls) -> Handle:
    """ACME's challenges are answered before any route is looked at."""
    port = int(tls.listen.rpartition(":")[2])
    where = "{http.request.host}" if port == 443 else f"{{http.request.host}}:{port}"
    handle = {
        "handler": "static_response",
        "status_code": 308,
        "headers": {"Location": [f"https://{where}{{http.request.uri}}"]},
    }
    return lambda route: [{"handler": "vars", "log_skip": True}, handle]


def in_browsers(tls: Tls, handle: Handle) -> Handle:
    if tls.hsts is None:
        return handle
    said = {"Strict-Transport-Security": [f"max-age={int(tls.hsts)}"]}
    header = {"handler": "headers", "response": {"deferred": True, "set": said}}
    return lambda route: [header, *handle(route)]


def certified(tls: Tls, routes: list[Route]) -> list[str]:
    """An ACME authority gives no wildcards over HTTP."""
    names = {host for route in routes for host in hosts_of(route)}
    return sorted(host for host in names if tls.issuer == "internal" or "*" not in host)


def _answers_any(tls: Tls, routes: list[Route]) -> bool:
    return tls.issuer == "internal" and not all(route.hosts for route in routes)


def _issuer(listener: Listener, tls: Tls, root: PurePath, files: Mapping[Path, str]) -> Json:
    if tls.issuer == "internal":
        return {"module": "internal"}
    challenges = {
        "http": {"alternate_port": int(listener.listen.rpartition(":")[2])},
        "tls-alpn": {"alternate_port": int(tls.listen.rpartition(":")[2])},
    }
    said = {
        "ca": tls.directory,
        "email": tls.email,
        "trusted_roots_pem_files": [str(root / files[tls.ca])] if tls.ca is not None else None,
    }
    return {"module": "acme", "challenges": challenges, **{key: text for key, text in said.items() if text}}


def _refuse_uncertifiable(tls: Tls, routes: list[Route]) -> None:
    """Names that a certificate file covers need no authority; whether one does is Caddy's to say."""
    if tls.issuer != "acme" or tls.certificates:
        return
    for route in routes:
        if not route.hosts:
            raise ConfigError(
                f"{name(route)} answers to any name on {tls.listen}, and a certificate needs names",
                "Give it hosts, or set edge.tls.issuer to internal or files.",
            )
        wild = next((host for host in hosts_of(route) if "*" in host), None)
        if wild is not None:
            raise ConfigError(
                f"{name(route)} wants a certificate for {wild}, which no authority gives over HTTP",
                "Name its certificate files in edge.tls.certificates.",
            )
