"""A frozen spec as the arguments of Docker's create call that replicas and one-offs have in common. Pure."""

from __future__ import annotations

import math
from typing import Any

from cockpit.targets.orders import ContainerSpec, Healthcheck, Logging
from cockpit.targets.volumes import binds, mounts

LOGS = Logging("json-file", {"max-size": "20m", "max-file": "3"})  # Docker's own default keeps all, for ever


def process_arguments(spec: ContainerSpec, environment: dict[str, str]) -> dict[str, Any]:
    """What runs, as whom and where: keyword arguments of the SDK's `create_container`."""
    return {
        "image": spec.image,
        "command": None if spec.command is None else list(spec.command),
        "entrypoint": None if spec.entrypoint is None else list(spec.entrypoint),
        "user": spec.user,
        "working_dir": spec.working_dir,
        "environment": dict(environment),
    }


def host_arguments(spec: ContainerSpec, network: str, logs: Logging) -> dict[str, Any]:
    """What the host gives and keeps from it: keyword arguments of the SDK's `create_host_config`.

    The restart policy stays `no` until the switch."""
    return {
        "network_mode": network,
        "mounts": mounts(spec.volumes) or None,
        "binds": binds(spec.volumes) or None,
        "tmpfs": list(spec.tmpfs) or None,
        "nano_cpus": None if spec.cpus is None else round(spec.cpus * 1_000_000_000),
        "mem_limit": spec.memory,
        "pids_limit": spec.pids,
        "shm_size": spec.shm_size,
        "ulimits": [{"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in spec.ulimits.items()] or None,
        "extra_hosts": list(spec.extra_hosts) or None,
        "read_only": spec.read_only,
        "init": spec.init,
        "cap_add": list(spec.cap_add) or None,
        "cap_drop": list(spec.cap_drop) or None,
        "restart_policy": {"Name": "no"},
        "log_config": {"Type": logs.driver, "Config": dict(logs.options)},
    }


def health_arguments(check: Healthcheck | None) -> dict[str, Any] | None:
    """Docker counts in nanoseconds, and keeps the image's value for what isn't told."""
    if check is None:
        return None
    told = {
        "Test": list(check.test) or None,
        "Interval": _nanoseconds(check.interval),
        "Timeout": _nanoseconds(check.timeout),
        "Retries": check.retries,
        "StartPeriod": _nanoseconds(check.start_period),
    }
    return {name: value for name, value in told.items() if value is not None}


def whole_seconds(grace: float) -> int:
    """Docker takes whole seconds; half a second must not become none."""
    return math.ceil(max(0.0, grace))


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000_000_000)
