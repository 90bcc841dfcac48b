"""What makes an engine the system's: its user and groups, its directories, its service. Pure texts.

There is no socket unit: the engine has to run without clients too, to probe, to watch a bake and to recover.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cockpit.paths import APP, SYSTEM_CONFIG, SYSTEM_SOCKET, SYSTEM_STATE

USER = APP
UNIT = Path("/etc/systemd/system") / f"{APP}.service"
USERS = Path("/etc/sysusers.d") / f"{APP}.conf"
PLACES = Path("/etc/tmpfiles.d") / f"{APP}.conf"
HIDDEN = ("/home", "/root", "/run/user")  # by ProtectHome
SIGN = "# Written by `cockpit engine install`; docs/sharing.md explains it."

_USERS = """\
{sign}
g {group} - -
u {user} - "Cockpit, deploys" {state} /usr/sbin/nologin
"""

_PLACES = """\
{sign}
d {config} 0750 root {user} -
d {state} 0700 {user} {user} -
# Members of {group} reach the socket; only the engine may put something there.
d {run} 0750 {user} {group} -
"""

_UNIT = """\
{sign}
[Unit]
Description=Cockpit's engine: deploys and rolls back services that run on Docker
Wants=network-online.target
After=network-online.target docker.service
StartLimitIntervalSec=0

[Service]
Type=exec
User={user}
Group={user}
# Docker's group for the engine alone: who deploys needs only {group}.
SupplementaryGroups={groups}
{environment}ExecStart={program} -m cockpit.engine run --config {config}/config.yaml --state {state} \
--socket {socket} --group {group}
WorkingDirectory={state}
UMask=0077
LimitNOFILE=65536
Restart=always
RestartSec=2
# A deploy that runs is left as it is, and brought to its end by the next engine. Commands it has begun end with it.
KillMode=mixed
TimeoutStopSec=60

NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths={state} {run}
# Homes are out of sight: ssh keys, Docker's logins and known hosts of the engine are in {state}.
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
# adjtimex tells cockpit doctor whether the clock is synchronized; without a capability it sets nothing.
SystemCallFilter=@system-service adjtimex
SystemCallErrorNumber=EPERM
# Not PrivateUsers= and not ProtectProc=: who connects is read from the kernel, with their uid and login uid.

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """`docker_group` is whose Docker's socket is, "" when there is none; `packages` where cockpit is imported from."""

    group: str
    docker_group: str
    program: Path
    packages: Path | None = None


@dataclass(frozen=True, slots=True)
class File:
    path: Path
    text: str


def files(wanted: Installation) -> tuple[File, ...]:
    words = {
        "sign": SIGN,
        "user": USER,
        "group": wanted.group,
        "groups": " ".join(dict.fromkeys(filter(None, (wanted.group, wanted.docker_group)))),
        "program": wanted.program,
        "environment": f"Environment=PYTHONPATH={wanted.packages}\n" if wanted.packages else "",
        "config": SYSTEM_CONFIG.parent,
        "state": SYSTEM_STATE,
        "socket": SYSTEM_SOCKET,
        "run": SYSTEM_SOCKET.parent,
    }
    texts = ((USERS, _USERS), (PLACES, _PLACES), (UNIT, _UNIT))
    return tuple(File(path, text.format(**words)) for path, text in texts)


def below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def commands(root: Path, *, systemd: bool, configured: bool) -> tuple[tuple[str, ...], ...]:
    """What makes the files count. `systemd`: it runs here; elsewhere the service is begun at the next boot."""
    at = () if root == Path("/") else (f"--root={root}",)
    made = (
        ("systemd-sysusers", *at, str(below(root, USERS))),
        ("systemd-tmpfiles", *at, "--create", str(below(root, PLACES))),
        ("systemctl", *at, "enable", UNIT.name),
    )
    if not systemd or at:
        return made
    begin = (("systemctl", "restart", UNIT.name),) if configured else ()
    return (*made, ("systemctl", "daemon-reload"), *begin)
