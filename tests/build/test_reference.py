"""What an image's name says of where it is."""

from __future__ import annotations

import pytest

from cockpit.build.reference import reference, registry, split
from cockpit.errors import BuildError

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("reference", ["shop", "shop:1", "r.test/shop", "r.test:5000/shop", "r.test/shop:a b"])
def test_a_reference_without_registry_name_and_tag_is_refused(reference: str) -> None:
    with pytest.raises(BuildError, match="is not registry/name:tag"):
        split(reference)


def test_a_port_is_no_tag() -> None:
    assert split("r.test:5000/team/shop:v1") == ("r.test:5000/team/shop", "v1")


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("r.test/shop:{sha}", f"r.test/shop:{SHA}"),
        ("r.test:5000/team/shop:main-{short}", "r.test:5000/team/shop:main-0123456"),
        ("r.test/{short}/shop:{short}-{sha}", f"r.test/0123456/shop:0123456-{SHA}"),
    ],
)
def test_a_template_takes_the_commit(template: str, made: str) -> None:
    assert reference(template, SHA) == made


@pytest.mark.parametrize("template", ["r.test/shop:{tag}", "r.test/shop-{sha}", "r.test/shop:{sha", "shop:{sha}"])
def test_a_template_that_gives_no_reference_is_refused(template: str) -> None:
    with pytest.raises(BuildError, match="is not registry/name:tag"):
        reference(template, SHA)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("r.test/shop", "r.test"),
        ("localhost/shop", "localhost"),
        ("127.0.0.1:5000/shop", "127.0.0.1:5000"),
        ("acme/shop", "docker.io"),
        ("shop", "docker.io"),
        ("index.docker.io/acme/shop", "docker.io"),
    ],
)
def test_a_name_without_a_registry_is_docker_hubs(name: str, at: str) -> None:
    assert registry(name) == at
