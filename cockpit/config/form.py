"""The form of the YAML: every key, what it may be, and what it is for. Decoding, the JSON Schema and a test of
config.example.yaml all read these tables; defaults and bounds are those of `settings`.

Container options (`options`) have the Compose Specification's names and forms, proxy options (`edges`) Kamal's.
"""

from __future__ import annotations

from cockpit.config import options, spellings
from cockpit.config.amounts import Duration, Whole
from cockpit.config.edges import ENVIRONMENT, ROOT_EDGE
from cockpit.config.kinds import OrNull, Text
from cockpit.config.lists import Members
from cockpit.config.options import INSTEAD, SECRET
from cockpit.config.settings import BuildSettings, Migrate, Network, Process, Registry, Roles, Service, Settings
from cockpit.config.shapes import Command, Key, Many, Named, Pairs, Short, Table
from cockpit.config.words import FOLDER, GROUP, IMAGE, NAME, REGISTRY_HOST, VARIABLE, WORD, Subnet

BUILD = Table(
    {
        "context": Key(FOLDER, "What the build sees, below the service's path."),
        "dockerfile": Key(FOLDER, "The Dockerfile, below the context."),
        "args": Key(Pairs(VARIABLE), "Build arguments. They stay readable in the image: no secrets."),
        "target": Key(OrNull(WORD), "The stage of the Dockerfile to build; null is the last."),
    },
    (BuildSettings,),
)

MIGRATE = Table(
    {
        "command": Key(Command(), "What is run once, in a container of the new image with the main process's options."),
        "timeout": Key(Duration(), "How long it may take."),
    },
    (Migrate,),
    required=("command",),
    expects="a command, or a map with command and timeout",
)

_SOURCE: dict[str, Key] = {
    "repo": Key(WORD, "The git repository: a URL, or a path on the engine's machine."),
    "branch": Key(OrNull(WORD), "Whose commits are deployed; null is the remote's default branch."),
    "path": Key(FOLDER, "The service's folder in a monorepo; only commits that touch it count."),
    "build": Key(Short(BUILD, "context"), "How the image is built; text alone is the context."),
    "image": Key(
        OrNull(IMAGE),
        "Where the built image is pushed to; null: it stays on the host. With the tag {sha} or {short}, CI made it.",
    ),
    "image_timeout": Key(Duration(), "How long a deploy waits for CI's image."),
    "migrate": Key(OrNull(Short(MIGRATE, "command")), "A command that is run once before the switch; null is none."),
}

_RELEASE: dict[str, Key] = {
    "deploy_timeout": Key(Duration(), "How long a release may take to become healthy."),
    "drain_timeout": Key(Duration(), "How long open requests may go on before a release is stopped."),
    "bake": Key(Duration(), "The watch after the switch; a release that survives it is good."),
    "keep_hot": Key(OrNull(Duration()), "How long the last release stays running; null is the bake, at least 15m."),
    "retain": Key(Whole(), "Good releases whose images are kept for a rollback."),
    "deployers": Key(
        OrNull(Many(GROUP, short=True)), "Unix groups that may deploy it; null is the deployers of `roles`."
    ),
}

PROCESS = Table(
    options.OPTIONS,
    (Process,),
    settle=spellings.settle,
    instead={**INSTEAD, **dict.fromkeys((*_SOURCE, *_RELEASE), "it is the service's, beside processes")},
)

OPTIONS: dict[str, Key] = {
    **_SOURCE,
    **options.OPTIONS,
    "processes": Key(
        Named(NAME, PROCESS), "Several commands of one release, by name; what the service says holds for each of them."
    ),
    **_RELEASE,
}

OVERRIDES = Table(OPTIONS, (Service, Process), settle=spellings.settle, instead=INSTEAD)

SERVICE = Table(
    {
        **OPTIONS,
        "environments": Key(
            Members(NAME, OVERRIDES, "a list of environments, or a map of environments to what differs there"),
            "Where it is deployed: names, or names with what differs there. Without this key: everywhere.",
        ),
    },
    (Service, Process),
    required=("repo",),
    settle=spellings.settle,
    instead=INSTEAD,
)

REGISTRY = Table(
    {
        "server": Key(REGISTRY_HOST, "Its name."),
        "username": Key(OrNull(WORD), "Who pushes and pulls; null is nobody."),
        "password": Key(OrNull(SECRET), "Where the password or token comes from."),
    },
    (Registry,),
    required=("server",),
)

ROLES = Table(
    {
        "viewer": Key(OrNull(Many(GROUP, short=True)), "Who may look; null is whoever may connect."),
        "deployer": Key(Many(GROUP, short=True), "Who may change services that name no deployers of their own."),
        "admin": Key(Many(GROUP, short=True), "Who may change everything; root and the engine's user always may."),
    },
    (Roles,),
)

NETWORK = Table(
    {"subnet": Key(OrNull(Subnet()), "The cockpit's own network; null chooses a free /18 once.")}, (Network,)
)

ROOT = Table(
    {
        "environments": Key(Named(NAME, ENVIRONMENT), "Where services run. Without this key: production, protected."),
        "services": Key(Named(NAME, SERVICE), "What is deployed."),
        "edge": Key(ROOT_EDGE, "The reverse proxy, in every environment that does not say otherwise."),
        "registry": Key(Many(REGISTRY, short=True), "Registries that want a login, one or a list."),
        "roles": Key(ROLES, "Unix groups, and what their members may do."),
        "network": Key(NETWORK, "The containers' network."),
        "fetch_every": Key(Duration(), "How often repositories are asked for new commits."),
        "theme": Key(Text("a theme's name", r"[A-Za-z0-9_-]+"), "Colours of the interface: dark, light, or your own."),
        "keys": Key(
            Named(Text("an action's name", r"[a-z][a-z0-9_.-]*"), WORD),
            "Other keys for actions; docs/keys.md has their names.",
        ),
    },
    (Settings,),
    required=("services",),
)
