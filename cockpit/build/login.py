"""Which login goes along with a request: the configuration's own, else what the user's Docker configuration has.

The SDK reads that file and knows whose entry is whose. It would also run the credential helpers, without an end in
sight; so they are run here, where they can be stopped.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cockpit import process
from cockpit.build import reference
from cockpit.build.base import Login
from cockpit.errors import BuildError
from cockpit.text import clean, decode

if TYPE_CHECKING:
    from docker import APIClient
    from docker.auth import AuthConfig

HELPER = 10.0  # seconds for a credential helper; it may want a person to type something
_HUB = "https://index.docker.io/v1/"
_TOKEN = "<token>"  # for a user name, says that the secret is an identity token
_UNKNOWN = "credentials not found in native keychain"  # a helper's agreed words for having no such login
_BY_REGISTRY = ("auths", "credHelpers")
_ANSWER = 64 * 1024  # bytes

Auth = dict[str, str]  # as Docker's API takes it; {} is nobody


async def of(login: Login | None, registry: str) -> Auth:
    """Raises BuildError when the login is another registry's, or Docker's file or the helper it names is of no use."""
    if login is not None:
        _check(login, registry)
        return given(login)
    return await _stored(await asyncio.to_thread(_configuration), registry)


async def everyones(logins: Iterable[Login], failed: Callable[[BuildError], None]) -> dict[str, Auth]:
    """By registry, for a build that may need any of them; what a helper will not tell may not be needed at all."""
    found: dict[str, Auth] = {}
    try:
        configuration = await asyncio.to_thread(_configuration)
        for registry in {*configuration.auths, *configuration.cred_helpers}:
            try:
                found[address(registry)] = await _stored(configuration, reference.server(registry))
            except BuildError as error:
                failed(error)
    except BuildError as error:
        failed(error)
    return found | {address(login.server): given(login) for login in logins}


def only(client: APIClient, auths: Mapping[str, Auth]) -> None:
    """For a build, which has no parameter for it: these logins, and no look of the SDK's own for others."""
    from docker.auth import AuthConfig

    # With none at all it would look.
    client._auth_configs = AuthConfig({"auths": {_HUB: {}, **auths}})  # type: ignore[attr-defined]  # not in its stub


def address(server: str) -> str:
    """How Docker's files name a registry."""
    host = reference.server(server)
    return _HUB if host == reference.HUB else host


def given(login: Login) -> Auth:
    return {"username": login.username, "password": login.password, "serveraddress": address(login.server)}


def folder() -> Path:
    """Where the user's Docker configuration is, if there is one."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def content(path: Path) -> dict[str, Any]:
    """Of a config.json; {} when there is none. Raises BuildError."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BuildError(f"{path} cannot be read ({error.strerror})", "check its owner and mode") from None
    except ValueError:
        raise _no_configuration(path) from None
    if not isinstance(found, dict) or any(not isinstance(found.get(key) or {}, dict) for key in _BY_REGISTRY):
        raise _no_configuration(path)
    return found


def _no_configuration(path: Path) -> BuildError:
    """Without a cause: that may quote what is in the file."""
    return BuildError(f"{path} is no Docker configuration", "correct it, or log in again: docker login")


def _check(login: Login, registry: str) -> None:
    """A password is never sent to a registry that it was not given for."""
    server = reference.server(login.server)
    if server != registry:
        raise BuildError(f"the login is for {server}, the image is at {registry}", "check `registry` and `image`")


def _configuration() -> AuthConfig:
    from docker.auth import AuthConfig, load_config
    from docker.errors import DockerException

    path = folder() / "config.json"
    found = content(path)
    try:
        # With an empty one the SDK would look for the file itself.
        return load_config(config_dict=found) if found else AuthConfig({})
    except (ValueError, AttributeError, TypeError, DockerException):
        raise _no_configuration(path) from None


async def _stored(configuration: AuthConfig, registry: str) -> Auth:
    from docker.auth import AuthConfig

    helper = configuration.get_credential_store(address(registry))
    if helper and (found := await _helped(f"docker-credential-{helper}", registry)):
        return found
    return dict(AuthConfig({"auths": configuration.auths}).resolve_authconfig(registry) or {})


async def _helped(program: str, registry: str) -> Auth | None:
    """None when the helper knows no login for that registry."""
    asked = address(registry)
    try:
        ended = await process.run(
            (program, "get"), env=os.environ, timeout=HELPER, limit=_ANSWER, given=f"{asked}\n".encode()
        )
    except TimeoutError:
        raise _useless(program, f"gave no answer within {HELPER:.0f} s", _by_hand(program, asked)) from None
    except OSError as error:
        raise _useless(
            program,
            f"cannot be run ({error.strerror})",
            "install this credential helper where the engine runs, or take it out of Docker's config.json",
        ) from None
    if ended.status:
        if _UNKNOWN in decode(ended.out):
            return None
        raise _refused(program, asked, decode(ended.err + b"\n" + ended.out))
    return _answered(program, asked, ended.out)


def _refused(program: str, asked: str, output: str) -> BuildError:
    # An answer that came before the failure is no explanation, and nothing to show.
    said = next((line for line in reversed(output.splitlines()) if line.strip() and '"' not in line), "")
    why = clean(said, 200) or "it did not say why"
    return _useless(
        program,
        f"has no login for {asked}: {why}",
        "log in again, or put the login under `registry` in the configuration",
    )


def _useless(program: str, why: str, hint: str) -> BuildError:
    """Its name and the registry's are the user's words, from a file."""
    return BuildError(clean(f"{program} {why}", 500), clean(hint, 500))


def _by_hand(program: str, asked: str) -> str:
    return f"run it by hand, it shows the password: echo {asked} | {program} get"


def _answered(program: str, asked: str, out: bytes) -> Auth | None:
    try:
        answer = json.loads(out)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise _useless(program, "gave an answer that is no login", _by_hand(program, asked)) from None
    if not user and not secret:
        return None
    if user == _TOKEN:
        return {"identitytoken": secret, "serveraddress": asked}
    return {"username": user, "password": secret, "serveraddress": asked}
