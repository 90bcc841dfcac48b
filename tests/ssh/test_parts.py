"""Addresses, how ssh is called, and what its last words mean. Nothing is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.errors import ConfigError
from cockpit.ssh import command, greeting, words
from cockpit.ssh.address import Address, address
from cockpit.ssh.greeting import Access

SHOP = Address("deploy", "shop-1")
KNOWN = {"hostname": "10.0.0.7", "port": "2222", "hostkeyalias": ""}
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Please contact your system administrator.
Offending ED25519 key in /srv/ana/.ssh/known_hosts:3
Host key for [10.0.0.7]:2222 has changed and you have requested strict checking.
Host key verification failed.
"""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ssh://deploy@shop-1", Address("deploy", "shop-1")),
        ("ssh://shop-1:2222", Address("", "shop-1", 2222)),
        ("ssh://deploy@[fd00::7]:22", Address("deploy", "fd00::7", 22)),
        (
            "ssh://deploy@shop-1/run/user/1000/docker.sock",
            Address("deploy", "shop-1", None, "/run/user/1000/docker.sock"),
        ),
    ],
)
def test_an_address_is_user_host_port_and_docker_socket(url: str, said: Address) -> None:
    assert address(url) == said


@pytest.mark.parametrize(
    "url",
    [
        "ssh://",
        "ssh://-oProxyCommand=evil@shop",
        "ssh://deploy@-oProxyCommand=evil",
        "ssh://deploy:secret@shop-1",
        "ssh://shop-1:0",
        "ssh://shop-1:65536",
        "ssh://shop 1",
        "ssh://shop-1\nx",
        "tcp://shop-1",
        "shop-1",
    ],
)
def test_what_ssh_would_take_for_something_else_is_no_address(url: str) -> None:
    with pytest.raises(ConfigError, match="no address for ssh"):
        address(url)


@given(st.text())
def test_no_text_becomes_an_option_of_ssh(text: str) -> None:
    try:
        made = address(f"ssh://{text}")
    except ConfigError:
        return
    argv = command.master(made, Path("/run/ctl"))
    assert argv[argv.index("--") + 1 :] == (made.host, command.SHELL)
    assert not made.user.startswith("-")


def test_nobody_is_asked_and_every_key_is_checked() -> None:
    said = " ".join(command.master(SHOP, Path("/run/ctl")))
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no", "ControlPersist=no"):
        assert option in said


def test_a_lane_never_opens_a_connection_of_its_own() -> None:
    for argv in (command.lane(Path("/run/ctl")), command.end(Path("/run/ctl"))):
        assert {"ControlMaster=no", "ProxyCommand=false"} <= set(argv)
        assert argv[1:3] == ("-F", "none")


@pytest.mark.parametrize("agent", [True, False])
def test_the_agent_of_a_login_is_passed_on_only_when_it_is_asked_for(agent: bool) -> None:
    outer = {"SSH_AUTH_SOCK": "/tmp/agent", "DISPLAY": ":0", "HOME": "/srv/ana"}
    made = command.environment(outer, agent=agent)
    assert ("SSH_AUTH_SOCK" in made) == agent
    assert made["HOME"] == "/srv/ana"
    assert "DISPLAY" not in made


def test_a_changed_key_names_the_line_and_how_to_remove_it() -> None:
    reason = words.ended(CHANGED, SHOP, KNOWN, was_up=True)
    assert reason.stop
    assert "/srv/ana/.ssh/known_hosts:3" in reason.why
    assert "ssh-keygen -f /srv/ana/.ssh/known_hosts -R '[10.0.0.7]:2222'" in reason.hint


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("No ED25519 host key is known for shop-1 and you have requested strict checking.", "is not known"),
        ("Host key verification failed.", "is not known"),
        ("deploy@shop-1: Permission denied (publickey).", "does not let us in"),
        ("Received disconnect from 10.0.0.7 port 22:2: Too many authentication failures", "does not let us in"),
        ("ssh: Could not resolve hostname shop-1: Name or service not known", "no host called 10.0.0.7"),
        ("/srv/ana/.ssh/config: line 3: Bad configuration option: kex", "its own configuration"),
        ("Bad owner or permissions on /srv/ana/.ssh/config", "its own configuration"),
        ("Unable to negotiate with 10.0.0.7 port 22: no matching host key type found.", "nothing in common"),
    ],
)
def test_what_only_a_person_can_change_stops(said: str, why: str) -> None:
    reason = words.ended(said, SHOP, KNOWN, was_up=False)
    assert reason.stop
    assert why in reason.why
    assert reason.hint


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("ssh: connect to host shop-1 port 22: Connection refused", "connection refused"),
        ("ssh: connect to host shop-1 port 22: Connection timed out", "it does not answer"),
        ("ssh: connect to host shop-1 port 22: No route to host", "no way to it"),
        ("ssh: Could not resolve hostname shop-1: Temporary failure in name resolution", "looked up"),
        ("kex_exchange_identification: Connection closed by remote host", "closed the connection"),
        ("Timeout, server shop-1 not responding.", "fell silent"),
        ("client_loop: send disconnect: Broken pipe", "closed the connection"),
        ("something new\nin two lines", "in two lines"),
        ("", "without a word"),
    ],
)
def test_what_may_pass_is_tried_again(said: str, why: str) -> None:
    reason = words.ended(said, SHOP, KNOWN, was_up=False)
    assert not reason.stop
    assert why in reason.why


def test_a_name_that_led_to_a_host_once_is_looked_up_again() -> None:
    said = "ssh: Could not resolve hostname shop-1: Name or service not known"
    assert not words.ended(said, SHOP, KNOWN, was_up=True).stop


def test_the_private_key_that_others_can_read_is_named() -> None:
    said = "@ WARNING: UNPROTECTED PRIVATE KEY FILE! @\ndeploy@shop-1: Permission denied (publickey)."
    assert "chmod 600" in words.ended(said, SHOP, KNOWN, was_up=False).hint


@given(st.text())
def test_hostile_last_words_are_shown_clean(said: str) -> None:
    reason = words.ended(f"\x1b]0;x\x07{said}\x1b[2J", SHOP, {"hostname": said}, was_up=False)
    assert "\x1b" not in reason.why + reason.hint


def greeted(**changed: str) -> list[bytes]:
    usual = {
        "uid": "1000",
        "user": "deploy",
        "root": "/far/state/deploy-cockpit/x",
        "docker": "/var/run/docker.sock",
        "access": "open",
        "listens": "yes",
        "group": "docker",
    }
    return [f"{value}\n".encode() for value in {**usual, **changed}.values()]


def test_the_hosts_first_words_are_facts() -> None:
    facts = greeting.facts(greeted(access="closed"))
    assert (facts.uid, facts.access, facts.group) == (1000, Access.CLOSED, "docker")
    assert str(facts.edge) == "/far/state/deploy-cockpit/x/edge"


@pytest.mark.parametrize(
    "changed", [{"root": "relative"}, {"root": "/a\x1b[2J"}, {"docker": ""}, {"uid": "x"}, {"access": "maybe"}]
)
def test_what_no_shell_of_ours_says_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        greeting.facts(greeted(**changed))
