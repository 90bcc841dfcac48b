"""Why a key of Compose has no counterpart, for those where more can be said than that."""

from __future__ import annotations

ALWAYS = "Docker starts every container again until the cockpit stops it"
ROLLOUT = "a deploy is the cockpit's own: start, verify, switch, and the old release stays hot"
NEVER_ALONE = "containers start with the image that was built for the release"
REASONS = {
    "attach": "logs are shown by `cockpit logs`",
    "container_name": "containers are called after their release; other containers reach it through aliases",
    "deploy.endpoint_mode": ROLLOUT,
    "deploy.mode": ROLLOUT,
    "deploy.placement": "there is one machine",
    "deploy.resources.reservations": "nothing is reserved on one machine; limits are carried over",
    "deploy.restart_policy": ALWAYS,
    "deploy.rollback_config": ROLLOUT,
    "deploy.update_config": ROLLOUT,
    "develop": "for development only",
    "external_links": "containers of a shared network answer to their own names",
    "hostname": "every container has its own",
    "links": "containers of a shared network answer to their own names; a link's alias is lost",
    "mem_reservation": "nothing is reserved on one machine; limits are carried over",
    "network_mode": "a container runs in the cockpit's network, and in those under networks",
    "privileged": "no container of the cockpit is privileged; cap_add gives single rights",
    "profiles": "it was taken because it was named; there are no profiles here",
    "pull_policy": NEVER_ALONE,
    "restart": ALWAYS,
    "stdin_open": "nobody types into a container that serves; `cockpit exec` runs a command in it",
    "tty": "nobody types into a container that serves; `cockpit exec` runs a command in it",
    "volumes_from": "name the volumes themselves under volumes",
}


def reason(key: str) -> str:
    return REASONS.get(key, "there is no such option here")
