"""Certificates, keys and authorities that the configuration names: copied to where the edge can read them.

A copy's name comes from what is in it, so that a renewed file is another name, another configuration and one reload.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.edge.base import EdgePlan, Tls
from cockpit.edge.files import Files
from cockpit.edge.servers import secure
from cockpit.errors import ConfigError

DIRECTORY = "tls"
_KEPT = f"{DIRECTORY}/kept"  # the names of all copies there, a line each


@dataclass(frozen=True, slots=True)
class Copies:
    names: Mapping[Path, str] = field(default_factory=dict)  # in the edge's directory, by the original
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # by name; keys are among them


def gathered(plan: EdgePlan) -> Copies:
    """Blocking. Raises ConfigError for a file that cannot be read, and for a key that is not its certificate's."""
    names: dict[Path, str] = {}
    contents: dict[str, bytes] = {}
    for _, tls, _ in secure(plan).values():
        for path in _named(tls):
            content = _read(path)
            names[path] = f"{DIRECTORY}/{hashlib.sha256(content).hexdigest()[:24]}.pem"
            contents[names[path]] = content
        for certificate, key in tls.certificates:
            _refuse_strangers(certificate, key)
    return Copies(names, contents)


def keep(files: Files, copies: Copies) -> None:
    """Blocking. The copies are there, besides those that were."""
    wanted = {*copies.contents, *_kept(files)}
    if wanted != set(_kept(files)):
        files.replace(_KEPT, _lines(wanted))
    for name, content in copies.contents.items():
        if files.read(name) != (content,):
            files.replace(name, content)


def forget(files: Files, copies: Copies) -> None:
    """Blocking. Nobody needs the others any more."""
    others = _kept(files) - set(copies.contents)
    for name in others:
        files.remove(name)
    if others:
        files.replace(_KEPT, _lines(set(copies.contents)))


def _named(tls: Tls) -> list[Path]:
    return [*(path for pair in tls.certificates for path in pair), *([tls.ca] if tls.ca is not None else [])]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "See edge.tls in the configuration.") from None


def _refuse_strangers(certificate: Path, key: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError) as error:
        why = getattr(error, "reason", None) or error.strerror or "no PEM files of a certificate and its key"
        raise ConfigError(
            f"{certificate} and {key} cannot be used together: {str(why).replace('_', ' ').lower()}",
            "See edge.tls.certificates. A key must not need a password.",
        ) from None


def _kept(files: Files) -> set[str]:
    content = files.read(_KEPT)[0] or b""
    return {line for line in content.decode("utf-8", "replace").splitlines() if line.startswith(f"{DIRECTORY}/")}


def _lines(names: set[str]) -> bytes:
    return "".join(f"{name}\n" for name in sorted(names)).encode()
