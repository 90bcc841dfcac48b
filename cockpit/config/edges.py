"""The form of an environment and of the reverse proxy in it."""

from __future__ import annotations

from cockpit.config.amounts import Duration, Size
from cockpit.config.kinds import Choice, Flag, OrNull
from cockpit.config.lists import Proxies
from cockpit.config.settings import Auto, Certificate, Edge, EdgeLimits, EdgeProgram, Environment, Tls
from cockpit.config.shapes import Command, Key, Many, Named, Pairs, Short, Table
from cockpit.config.words import ABSOLUTE, ARCHITECTURE, DOCKER, EMAIL, LABEL, LISTEN, NETWORK, URL, WORD

CERTIFICATE = Table(
    {
        "certificate": Key(ABSOLUTE, "PEM file of the certificate and its chain."),
        "key": Key(ABSOLUTE, "PEM file of its private key."),
    },
    (Certificate,),
    required=("certificate", "key"),
)

TLS = Table(
    {
        "listen": Key(LISTEN, "Where HTTPS arrives, HTTP/3 too."),
        "issuer": Key(
            Choice(("acme", "internal", "files")),
            "Where certificates come from: Let's Encrypt or another ACME directory, the edge's own authority, files.",
        ),
        "email": Key(OrNull(EMAIL), "Whom the authority may write to."),
        "directory": Key(OrNull(URL), "Another ACME directory; null is Let's Encrypt."),
        "ca": Key(OrNull(ABSOLUTE), "PEM file that vouches for that directory."),
        "certificates": Key(Many(CERTIFICATE), "Your own certificates, which are used first."),
        "redirect": Key(Flag(), "Whether plain HTTP is sent to HTTPS."),
        "hsts": Key(OrNull(Duration()), "How long browsers keep to HTTPS by themselves; null says nothing."),
    },
    (Tls,),
)

LIMITS = Table(
    {
        "body": Key(OrNull(Size()), "The largest body of a request; null is any."),
        "header_timeout": Key(Duration(), "For the head of a request."),
        "idle_timeout": Key(Duration(), "How long a connection is kept without a request."),
        "read_timeout": Key(OrNull(Duration()), "For a whole request; null is as long as it takes."),
        "write_timeout": Key(OrNull(Duration()), "For a whole answer; null is as long as it takes."),
    },
    (EdgeLimits,),
)

OPTIONS: dict[str, Key] = {
    "listen": Key(LISTEN, "Where customers' requests arrive, as plain HTTP."),
    "networks": Key(
        Many(NETWORK, short=True), "Docker networks that it runs in, instead of the host's: behind Traefik."
    ),
    "labels": Key(Pairs(LABEL), "Labels of its container."),
    "trusted_proxies": Key(
        OrNull(Proxies()),
        "Whose X-Forwarded-* headers are believed: none, private, or a list of addresses. "
        "null is private when nobody outside can reach the listener, else none.",
    ),
    "tls": Key(OrNull(TLS), "HTTPS at the edge; null is plain HTTP alone."),
    "limits": Key(LIMITS, "What a request may take."),
}

EDGE = Table(OPTIONS, (Edge,))

ROOT_EDGE = Table(
    {
        **OPTIONS,
        "image": Key(OrNull(WORD), "Its image; null builds one from a Caddy binary."),
        "binaries": Key(
            Named(ARCHITECTURE, ABSOLUTE),
            "Static Caddy binaries by the Docker host's architecture, where it is not this machine's.",
        ),
    },
    (EdgeProgram, Edge),
)

AUTO = Table(
    {
        "enabled": Key(Flag(), "Whether each new commit is deployed."),
        "check": Key(
            OrNull(Command()), "Asked of a commit before it is deployed (COCKPIT_COMMIT): exit status 0 lets it go."
        ),
        "timeout": Key(Duration(), "How long that may take."),
    },
    (Auto,),
)

ENVIRONMENT = Table(
    {
        "protected": Key(Flag(), "A deploy there wants the service's name typed."),
        "host": Key(
            DOCKER,
            "The Docker engine: local, unix:///path of its socket, ssh://user@host, or context:NAME of Docker's.",
        ),
        "auto": Key(
            Short(AUTO, "enabled"), "Whether each new commit is deployed there by itself; a word alone is `enabled`."
        ),
        "edge": Key(EDGE, "The reverse proxy there; what is said here wins over the edge of all."),
    },
    (Environment,),
)
