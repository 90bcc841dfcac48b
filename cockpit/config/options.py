"""The form of a process: what its containers may be told, in the Compose Specification's names and forms."""

from __future__ import annotations

from cockpit.config import spellings
from cockpit.config.amounts import Duration, Number, Pids, Size, Whole, WholeOrUnlimited
from cockpit.config.base import Reading
from cockpit.config.kinds import Always, Choice, Flag, Never, OrNull
from cockpit.config.lists import Both, Hosts, Members, Test
from cockpit.config.mounts import Mount
from cockpit.config.problems import At
from cockpit.config.settings import EnvFile, Healthcheck, Limits, Logging, Secret, Ulimit
from cockpit.config.shapes import Command, Key, Many, Named, Pairs, Short, Table, Values
from cockpit.config.words import (
    ABSOLUTE,
    ALIAS,
    CAPABILITY,
    HEALTH_PATH,
    HOST,
    LABEL,
    NAME,
    NETWORK,
    SIGNAL,
    TMPFS,
    ULIMIT,
    VARIABLE,
    WORD,
)


def _one_source(values: Values, at: At, into: Reading) -> Values:
    if len(values) != 1:
        into.wrong_name(at, "expected exactly one of file, environment and command")
    return values


def _soft_below_hard(values: Values, at: At, into: Reading) -> Values:
    soft, hard = (values.get(name) for name in ("soft", "hard"))
    if isinstance(soft, int) and isinstance(hard, int) and hard != -1 and not -1 < soft <= hard:
        into.wrong_name((*at, "soft"), f"expected at most the hard limit, {hard}, got {soft}")
    return values


SECRET = Table(
    {
        "file": Key(ABSOLUTE, "A file of the engine's machine; its content without the last line break."),
        "environment": Key(VARIABLE, "A variable of the engine's own environment."),
        "command": Key(Command(), "A command of the engine's machine; what it prints without the last line break."),
    },
    (Secret,),
    settle=_one_source,
    secret=True,
    expects="a map with one of file, environment and command",
)

ENV_FILE = Table(
    {
        "path": Key(ABSOLUTE, "A file of the engine's machine."),
        "required": Key(Flag(), "Whether it has to be there when a release starts."),
    },
    (EnvFile,),
    required=("path",),
)

LIMITS = Table(
    {
        "cpus": Key(OrNull(Number(quoted=True)), "CPUs a replica may use; null is no limit."),
        "memory": Key(OrNull(Size()), "Memory a replica may use, as 512m or 2g; null is no limit."),
        "pids": Key(OrNull(Whole()), "Processes and threads a replica may have; null is no limit."),
    },
    (Limits,),
)

DEPLOY = Table(
    {
        "replicas": Key(Whole(), "Compose's name of replicas."),
        "resources": Key(
            Table({"limits": Key(LIMITS, "Compose's name of limits.")}),
            "Compose's place for limits.",
        ),
    }
)

HEALTHCHECK = Table(
    {
        "path": Key(HEALTH_PATH, "What is asked of every replica of a process with a port; any 2xx answer is good."),
        "interval": Key(Duration(), "Between two questions while a release starts."),
        "timeout": Key(Duration(), "How long one answer may take."),
        "retries": Key(Whole(), "Good answers in a row that make a replica healthy."),
        "test": Key(OrNull(Test()), "Docker's own check, for a process without a port; null is the image's."),
        "disable": Key(Flag(), "Whether Docker's own check is left out; test: [NONE] says the same."),
        "start_period": Key(Duration(), "How long failures of the test do not count after the start."),
    },
    (Healthcheck,),
    settle=spellings.check_of_docker,
)

LOGGING = Table(
    {
        "driver": Key(WORD, "Docker's logging driver."),
        "options": Key(Pairs(LABEL), "Its options."),
    },
    (Logging,),
)

ULIMITS = Table(
    {
        "soft": Key(WholeOrUnlimited(), "What holds until the process raises it."),
        "hard": Key(WholeOrUnlimited(), "How far it may be raised."),
    },
    (Ulimit,),
    required=("soft", "hard"),
    settle=_soft_below_hard,
)

IN_NETWORK = Table({"aliases": Key(Many(ALIAS), "Names in this network that lead to the live release.")})

DEPENDENCY = Table(
    {
        "condition": Key(Choice(("service_started", "service_healthy")), "Either: it starts first."),
        "required": Key(Always(), "Without it nothing starts."),
        "restart": Key(Never(), "Each process is restarted for itself."),
    }
)

VARIABLES = Pairs(VARIABLE, "; for a value from the engine's environment use secrets")

# What stands in Compose files and is done otherwise here.
INSTEAD = {
    "ports": "write port, the container's alone: the edge has the public ones",
    "expose": "write port, the container's alone",
    "restart": "containers are restarted when they end, and stay away once they are stopped",
    "container_name": "containers are named after service, environment and release",
    "privileged": "name what is needed in cap_add",
    "network_mode": "name networks to join in networks",
    "secret": "write secrets",
    "scale": "write replicas",
}

OPTIONS: dict[str, Key] = {
    "port": Key(
        OrNull(Whole("the container's port alone such as 8000")),
        "Where the container listens; null is a process without customers. Without this key: 8000 for web.",
    ),
    "hosts": Key(Many(HOST, short=True), "Public names it answers to; none means any."),
    "networks": Key(Members(NETWORK, IN_NETWORK), "Docker networks that it joins by name; they have to exist."),
    "aliases": Key(Many(ALIAS, short=True), "Names in those networks that lead to the live release."),
    "replicas": Key(Whole(), "Containers of one release."),
    "entrypoint": Key(OrNull(Command()), "Instead of the image's entrypoint."),
    "command": Key(OrNull(Command()), "Instead of the image's command."),
    "user": Key(OrNull(WORD), "Who the process runs as: a name or uid, with :group when wanted."),
    "working_dir": Key(OrNull(ABSOLUTE), "Instead of the image's working directory."),
    "environment": Key(
        VARIABLES, "Variables of the process. Numbers and booleans are taken as the text that is written."
    ),
    "env": Key(VARIABLES, "Another name of environment."),
    "env_file": Key(Many(Short(ENV_FILE, "path"), short=True), "Files of NAME=value lines; environment wins."),
    "secrets": Key(Named(VARIABLE, SECRET), "Variables whose values are read each time a release starts."),
    "volumes": Key(Many(Mount()), "Volumes and bind mounts, in Compose's short form or its long one."),
    "tmpfs": Key(Many(TMPFS, short=True), "Folders in memory."),
    "extra_hosts": Key(Hosts(), "More names and their addresses."),
    "limits": Key(LIMITS, "What one replica may use."),
    "cpus": Key(OrNull(Number(quoted=True)), "Compose's name of limits.cpus."),
    "mem_limit": Key(OrNull(Size()), "Compose's name of limits.memory."),
    "pids_limit": Key(OrNull(Pids()), "Compose's name of limits.pids."),
    "deploy": Key(DEPLOY, "Compose's place for replicas and limits."),
    "ulimits": Key(Named(ULIMIT, Both(ULIMITS, "soft")), "Limits of the kernel, as a number or as soft and hard."),
    "shm_size": Key(OrNull(Size()), "Size of /dev/shm; null is Docker's, 64m."),
    "read_only": Key(Flag(), "Whether the container's own files cannot be changed."),
    "init": Key(OrNull(Flag()), "Whether a small init reaps children; null is as the Docker engine is set."),
    "cap_add": Key(Many(CAPABILITY), "Capabilities that the process gets."),
    "cap_drop": Key(Many(CAPABILITY), "Capabilities that it loses; ALL is all."),
    "labels": Key(Pairs(LABEL), "Labels of the containers."),
    "logging": Key(OrNull(LOGGING), "Where Docker keeps the log; null is the cockpit's choice."),
    "stop_signal": Key(OrNull(SIGNAL), "Asks the process to end; null is the image's, usually SIGTERM."),
    "stop_grace_period": Key(Duration(), "From that signal until it is killed."),
    "healthcheck": Key(HEALTHCHECK, "When a replica counts as healthy."),
    "depends_on": Key(Members(NAME, DEPENDENCY), "Processes of this service that start before it."),
    "replace": Key(
        Choice(("overlap", "recreate")),
        "overlap: new ones run before the old ones stop; recreate: the old ones stop first, without a port only.",
    ),
}
