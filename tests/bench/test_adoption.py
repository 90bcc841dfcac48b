"""The shop that is adopted: its files, its images' recipes, and what Compose makes of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.adoption import images, project
from bench.adoption.compose import run

WORDS = {
    "PYTHON": "python:1",
    "POSTGRES": "postgres:1",
    "NGINX": "nginx:1",
    "PROJECT": "shop",
    "NGINX_PORT": "8080",
    "WEB_PORT": "8000",
    "PASSWORD": "secret",
}


def test_every_word_of_the_templates_is_filled() -> None:
    left = {path: re.findall(r"@[A-Z_]+@", text) for path, text in project.make(WORDS).items()}
    assert not any(left.values())
    assert {".env", ".gitignore", "compose.yaml", "nginx/nginx.conf", "Dockerfile", "shop/web.py"} <= set(left)


def test_compose_takes_the_project_as_it_is(tmp_path: Path) -> None:
    for path, text in project.make(WORDS).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    said = run("docker-compose", "config", "--services", at=tmp_path)
    assert set(said.split()) == {"web", "worker", "migrate", "db", "nginx"}


def test_an_image_is_made_again_when_its_recipe_changes() -> None:
    assert replace(images.PYTHON, dockerfile="").tag != images.PYTHON.tag
    assert len({recipe.tag for recipe in images.RECIPES}) == len(images.RECIPES)


@pytest.mark.parametrize(
    ("package", "left_out"), [("libllvm14", True), ("perl-base", True), ("libc6", False), ("libpq5", False)]
)
def test_packages_that_are_not_needed_to_run_are_left_out(package: str, left_out: bool) -> None:
    assert images.left_out(package, images.POSTGRES) is left_out
