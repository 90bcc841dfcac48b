"""Whole Compose projects, as people have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.config.settings import EnvFile, Migrate
from cockpit.errors import UsageError
from tests.config.composing import URL, Composing

DJANGO = """
    version: "3.8"
    x-app: &app
      build: .
      env_file: .env.app
      volumes: [media:/app/media]
      restart: unless-stopped
    services:
      web:
        <<: *app
        command: gunicorn shop.wsgi --bind 0.0.0.0:8000 --workers ${WORKERS:-4}
        environment: &variables
          DJANGO_SETTINGS_MODULE: shop.settings
          DATABASE_URL: postgres://shop:${DB_PASSWORD}@db:5432/shop
        ports: ["127.0.0.1:8000:8000"]
        depends_on:
          migrate: {condition: service_completed_successfully}
        healthcheck:
          test: curl -f http://localhost:8000/health/ || exit 1
          interval: 10s
          start_period: 90s
        deploy:
          resources:
            limits: {cpus: "1.5", memory: 512M}
      worker:
        <<: *app
        command: celery -A shop worker
        environment: *variables
        depends_on: [redis, web]
        healthcheck: {test: [CMD, celery, -A, shop, inspect, ping]}
      beat:
        <<: *app
        command: celery -A shop beat
        environment: *variables
      migrate:
        <<: *app
        command: python manage.py migrate
        environment: *variables
        depends_on: [db]
      db:
        image: postgres:16
        environment: {POSTGRES_PASSWORD: "${DB_PASSWORD}"}
      redis: {image: redis:7}
      nginx:
        image: nginx:1.27
        ports: ["80:80", "443:443"]
        depends_on: [web]
    volumes:
      media:
"""

RAILS = """
    services:
      app:
        build: {context: ., target: production}
        image: registry.example.com/acme/shop:latest
        environment:
          - RAILS_ENV=production
          - REDIS_URL=redis://redis:6379/0
          - RAILS_MASTER_KEY
        labels:
          - traefik.enable=true
          - traefik.http.routers.shop.rule=Host(`shop.example.com`) || Host(`www.shop.example.com`)
          - traefik.http.services.shop.loadbalancer.server.port=3000
          - traefik.http.middlewares.staff.basicauth.users=maya:$$apr1$$salt$$hash
          - team=checkout
        networks: [default, proxy]
      sidekiq:
        image: registry.example.com/acme/shop:latest
        command: bundle exec sidekiq
        environment:
          RAILS_ENV: production
          API: http://app:3000/api
        deploy: {replicas: 2}
      redis: {image: "redis:7"}
      traefik:
        image: traefik:v3
        ports: ["80:80", {target: 443, published: 443}]
        networks: [proxy]
    networks:
      proxy: {external: true}
"""

NODE = """
    name: chat
    services:
      socket-server:
        build: ./server
        expose: ["3000"]
        environment: {PORT: 3000}
        stop_grace_period: 1m30s
      caddy:
        image: caddy:2
        network_mode: host
"""

MONOREPO = """
    services:
      api:
        build: {context: services/api, dockerfile: docker/Dockerfile, args: {PYTHON: "3.12"}}
        ports: ["8001:8000"]
      shop_front:
        build: ./services/front
        ports: ["8002:3000"]
        environment: {API: "http://api:8000"}
        depends_on: [api]
      tools:
        build: ./tools
        profiles: [tools]
"""


@pytest.fixture
def compose(tmp_path: Path) -> Composing:
    return Composing(tmp_path)


class TestDjango:
    @pytest.fixture(autouse=True)
    def _env(self, compose: Composing) -> None:
        compose.write(".env", "DB_PASSWORD='hunter22'\n")
        compose.write(".env.app", "LOG_LEVEL=info\n")

    def test_services_of_one_build_are_processes_of_one_service(self, compose: Composing) -> None:
        settings = compose.settings(DJANGO)
        assert [str(each.key) for each in settings.placements] == ["web/production"]
        service = settings.placements[0].service
        assert service.repo == URL
        assert list(service.processes) == ["web", "worker", "beat"]
        assert {name: process.port for name, process in service.processes.items()} == {
            "web": 8000,
            "worker": None,
            "beat": None,
        }

    def test_what_the_others_wait_for_is_the_migration(self, compose: Composing) -> None:
        assert compose.service(DJANGO).migrate == Migrate(command=("python", "manage.py", "migrate"))

    def test_the_migration_says_no_more_than_its_command_in_silence(self, compose: Composing) -> None:
        compose.convert(DJANGO.replace("command: python manage.py migrate", "command: migrate\n        user: admin"))
        assert compose.left()["migrate", "user"] == "a migration runs with the settings of web"

    def test_merge_keys_variables_and_defaults_are_filled_in(self, compose: Composing) -> None:
        web = compose.service(DJANGO).main
        assert web.command is not None
        assert web.command[-2:] == ("--workers", "4")
        assert web.volumes == ("shop_media:/app/media",)

    def test_limits_and_the_path_of_the_check_come_along(self, compose: Composing) -> None:
        service = compose.service(DJANGO)
        assert (service.main.limits.cpus, service.main.limits.memory) == (1.5, 512 * 1024**2)
        assert service.main.healthcheck.path == "/health/"
        assert service.deploy_timeout == 90
        assert ("web", "healthcheck.interval") in compose.left()

    def test_a_worker_keeps_docker_s_own_check_with_compose_s_defaults(self, compose: Composing) -> None:
        check = compose.service(DJANGO).processes["worker"].healthcheck
        assert check.test == ("CMD", "celery", "-A", "shop", "inspect", "ping")
        assert (check.interval, check.timeout) == (30, 30)

    def test_what_runs_by_the_clock_never_runs_twice(self, compose: Composing) -> None:
        processes = compose.service(DJANGO).processes
        assert {name: process.replace for name, process in processes.items()} == {
            "web": "overlap",
            "worker": "overlap",
            "beat": "recreate",
        }

    def test_the_password_goes_into_a_file_and_nowhere_else(self, compose: Composing) -> None:
        service = compose.service(DJANGO)
        path = compose.config / "web.env"
        assert compose.made is not None
        assert compose.made.files == {path: {"DATABASE_URL": "postgres://shop:hunter22@db:5432/shop"}}
        assert "hunter22" not in compose.text()
        app = EnvFile(path=str(compose.directory / ".env.app"))
        assert all(process.env_file == (app, EnvFile(path=str(path))) for process in service.processes.values())

    def test_order_is_carried_over_within_the_service_and_said_for_the_rest(self, compose: Composing) -> None:
        assert compose.service(DJANGO).processes["worker"].depends_on == ("web",)
        assert compose.left()["worker", "depends_on.redis"] == "redis stays with Compose, and has to run before"

    def test_the_edge_goes_behind_nginx_which_finds_it_by_a_name_of_its_own(self, compose: Composing) -> None:
        settings = compose.settings(DJANGO)
        assert settings.placements[0].environment.edge.listen == "127.0.0.1:8100"
        web = settings.placements[0].service.main
        assert (web.aliases, web.networks) == (("shop",), ("shop_default",))
        assert "# nginx calls it web, which is Compose's own container; after the first deploy write shop there" in (
            compose.text()
        )
        assert "# nginx (nginx:1.27) has port 80 and 443 of this machine" in compose.text()
        assert "# From its container it reaches the edge as http://shop:8000 (docs/adopt.md)" in compose.text()
        assert "# Compose publishes it on 127.0.0.1:8000; here customers come through the edge" in compose.text()

    def test_stock_images_stay_with_compose(self, compose: Composing) -> None:
        made = compose.convert(DJANGO)
        assert [each.name for each in made.stays] == ["db", "redis", "nginx"]
        assert "#   db (postgres:16)\n" in made.text

    def test_what_all_processes_share_is_written_once(self, compose: Composing) -> None:
        text = compose.convert(DJANGO).text
        assert (
            text.count("shop_media:/app/media") == text.count("DJANGO_SETTINGS_MODULE") == text.count(".env.app") == 1
        )


class TestRails:
    def test_a_service_that_runs_the_built_image_is_a_process_of_it(self, compose: Composing) -> None:
        service = compose.service(RAILS)
        assert list(service.processes) == ["web", "sidekiq"]
        assert service.processes["sidekiq"].replicas == 2
        assert service.build.target == "production"

    def test_the_image_s_registry_is_where_builds_are_pushed(self, compose: Composing) -> None:
        assert compose.service(RAILS).image == "registry.example.com/acme/shop"

    def test_traefik_finds_the_edge_and_not_the_containers(self, compose: Composing) -> None:
        settings = compose.settings(RAILS)
        assert settings.placements[0].service.main.labels == {"team": "checkout"}
        assert settings.placements[0].environment.edge.listen == "127.0.0.1:8100"
        assert "Traefik does not look for the edge at this address: see below." in compose.text()
        assert "$apr1$" not in compose.text()

    def test_the_edge_for_traefik_is_complete_when_it_is_uncommented(self, compose: Composing) -> None:
        compose.convert(RAILS)
        edge = compose.uncommented().placements[0].environment.edge
        assert (edge.listen, edge.networks) == (":80", ("proxy",))
        assert edge.labels == {
            "traefik.enable": "true",
            "traefik.docker.network": "proxy",
            "traefik.http.routers.cockpit.rule": "Host(`shop.example.com`) || Host(`www.shop.example.com`)",
            "traefik.http.routers.cockpit.priority": "1",
            "traefik.http.services.cockpit.loadbalancer.server.port": "80",
        }

    def test_the_port_is_the_one_that_traefik_was_told(self, compose: Composing) -> None:
        assert compose.service(RAILS.replace("http://app:3000/api", "none")).main.port == 3000

    def test_networks_are_called_as_docker_has_them(self, compose: Composing) -> None:
        service = compose.service(RAILS)
        assert service.processes["web"].networks == ("shop_default", "proxy")
        assert service.processes["sidekiq"].networks == ("shop_default",)

    def test_what_calls_it_by_name_is_told_another_name(self, compose: Composing) -> None:
        assert compose.service(RAILS).main.aliases == ("shop",)
        assert "# sidekiq calls it app, which is Compose's own container" in compose.text()

    def test_a_variable_of_the_shell_is_named(self, compose: Composing) -> None:
        compose.convert(RAILS)
        assert "comes from the shell" in compose.left()["app", "environment.RAILS_MASTER_KEY"]
        compose.write(".env", "RAILS_MASTER_KEY=0123456789abcdef\n")
        compose.convert(RAILS)
        assert compose.made is not None
        assert [list(values) for values in compose.made.files.values()] == [["RAILS_MASTER_KEY"]]


class TestNode:
    def test_a_service_alone_is_written_without_processes(self, compose: Composing) -> None:
        settings = compose.settings(NODE)
        service = settings.placements[0].service
        assert "processes:" not in compose.text()
        assert (service.main.port, service.path, service.main.stop_grace_period) == (3000, "server", 90)
        assert service.main.networks == ("chat_default",)

    def test_a_proxy_in_the_host_s_network_has_the_public_ports(self, compose: Composing) -> None:
        assert compose.settings(NODE).placements[0].environment.edge.listen == "127.0.0.1:8100"


class TestMonorepo:
    def test_each_build_is_a_service_of_its_own_folder(self, compose: Composing) -> None:
        settings = compose.settings(MONOREPO)
        services = {each.key.service: each.service for each in settings.placements}
        assert {name: (each.path, each.main.port) for name, each in services.items()} == {
            "api": ("services/api", 8000),
            "shop-front": ("services/front", 3000),
        }
        assert services["api"].build.dockerfile == "docker/Dockerfile"
        assert services["api"].build.args == {"PYTHON": "3.12"}

    def test_several_with_customers_need_names_which_are_made_up(self, compose: Composing) -> None:
        settings = compose.settings(MONOREPO)
        assert [each.service.main.hosts for each in settings.placements] == [
            ("api.example.com",),
            ("shop-front.example.com",),
        ]
        assert compose.text().count("# made up: which name is its own?") == 2

    def test_one_service_calls_the_other_by_a_name_of_its_own(self, compose: Composing) -> None:
        settings = compose.settings(MONOREPO)
        assert [each.service.main.aliases for each in settings.placements] == [("api-live",), ()]

    def test_the_public_ports_are_the_edge_s_when_nobody_has_them(self, compose: Composing) -> None:
        assert compose.settings(MONOREPO).placements[0].environment.edge.listen == ":80"
        assert "If something else has (nginx, say), write 127.0.0.1:8100 here." in compose.text()

    def test_what_compose_starts_on_demand_only_is_taken_on_demand_only(self, compose: Composing) -> None:
        assert [each.name for each in compose.convert(MONOREPO).stays] == ["tools"]
        assert compose.convert(MONOREPO, "tools").services == ("api", "shop-front", "tools")
        assert ("tools", "profiles") in compose.left()


def test_an_image_from_ci_is_taken_when_it_is_named(compose: Composing) -> None:
    text = "services: {web: {image: 'registry.example.com:5000/acme/shop:1.2', ports: ['8000']}, db: {image: postgres}}"
    with pytest.raises(UsageError, match="No service of the Compose file has a build"):
        compose.convert(text)
    service = compose.service(text, "web")
    assert (service.image, service.from_ci) == ("registry.example.com:5000/acme/shop:{sha}", True)
    with pytest.raises(UsageError, match="has no service 'wbe'"):
        compose.convert(text, "wbe")


def test_the_project_s_name_is_what_compose_takes_it_for(compose: Composing) -> None:
    text = "services: {web: {build: ., volumes: ['data:/data']}}"
    compose.write(".env", "")
    assert compose.service(text).main.volumes == ("shop_data:/data",)
    compose.write(".env", "COMPOSE_PROJECT_NAME=from_env\n")
    assert compose.service(text).main.volumes == ("from_env_data:/data",)
    assert compose.service(f"name: own\n{text}").main.volumes == ("own_data:/data",)
    assert compose.convert(f"name: own\n{text}", name="said").text.count("said_data") == 1


def test_a_port_that_nobody_publishes_is_the_dockerfile_s(compose: Composing) -> None:
    compose.write("Dockerfile", "FROM a AS build\nEXPOSE 1\nFROM b\n  EXPOSE 8080/tcp 9090\nCMD serve\n")
    assert compose.service("services: {app: {build: .}}").main.port == 8080
    assert "# from EXPOSE of the Dockerfile" in compose.text()


def test_a_service_without_any_port_has_no_customers(compose: Composing) -> None:
    assert compose.service("services: {mailer: {build: ., command: run}}").main.port is None


def test_a_variable_that_workers_share_makes_none_of_them_a_server(compose: Composing) -> None:
    service = compose.service(
        """
        services:
          jobs: {build: ., command: work, environment: &env {PORT: 3000}}
          web: {build: ., command: serve, environment: *env}
        """
    )
    assert {name: process.port for name, process in service.processes.items()} == {"jobs": None, "web": 3000}


def test_labels_for_a_traefik_of_another_project_put_the_edge_behind_it(compose: Composing) -> None:
    settings = compose.settings(
        """
        services:
          api:
            build: ./api
            labels: ["traefik.http.routers.a.rule=Host(`Shop.example.com`) && PathPrefix(`/api`)"]
            ports: ["80"]
          front:
            build: ./front
            labels: ["traefik.http.routers.b.rule=Host(`shop.example.com`)"]
            ports: ["80"]
          other:
            build: ./other
            environment: {VIRTUAL_HOST: other.example.com, VIRTUAL_PORT: 3000}
        """
    )
    assert [each.service.main.hosts for each in settings.placements] == [
        ("shop.example.com",),
        ("front.example.com",),
        ("other.example.com",),
    ]
    assert settings.placements[0].environment.edge.listen == "127.0.0.1:8100"
    assert "# What api, front, other told a proxy says that one runs here, and has the public ports." in compose.text()


def test_files_of_secrets_never_share_a_name(compose: Composing) -> None:
    compose.convert(
        """
        services:
          web: {build: ., ports: ["80"], environment: {A_TOKEN: one}}
          worker: {build: ., environment: {A_TOKEN: two}}
          web-worker: {build: ./other, environment: {A_TOKEN: three}}
        """
    )
    assert compose.made is not None
    assert {path.name: list(values.values()) for path, values in compose.made.files.items()} == {
        "web.env": ["one"],
        "web.worker.env": ["two"],
        "web-worker.env": ["three"],
    }


def test_a_password_that_is_a_word_takes_nothing_else_with_it(compose: Composing) -> None:
    compose.write(".env", "POSTGRES_PASSWORD=postgres\n")
    service = compose.service(
        """
        services:
          web:
            build: .
            ports: ["80"]
            command: wait-for postgres:5432
            environment: {DB_HOST: postgres, PGPASSWORD: "${POSTGRES_PASSWORD}"}
        """
    )
    assert service.main.command == ("wait-for", "postgres:5432")
    assert service.main.environment == {"DB_HOST": "postgres"}


def test_what_only_does_not_fit_together_is_named_as_well(compose: Composing) -> None:
    service = compose.service(
        """
        services:
          web: {build: ., ports: ["80"], scale: 5, depends_on: [api]}
          api: {build: ., ports: ["81"], deploy: {replicas: 5}, depends_on: [web]}
        """
    )
    assert [(each.replicas, each.depends_on) for each in service.processes.values()] == [(1, ()), (1, ())]
    assert {("web", "scale"), ("api", "deploy"), ("web", "depends_on"), ("api", "depends_on")} <= set(compose.left())


def test_a_database_with_a_build_of_its_own_stays_with_compose(compose: Composing) -> None:
    text = """
        services:
          web: {build: ., ports: ["80"], environment: {REDIS: "redis://cache:6379"}}
          db: {build: ./postgres, ports: ["127.0.0.1:5432:5432"]}
          cache: {build: ./redis}
        """
    made = compose.convert(text)
    assert made.services == ("web",)
    assert [each.name for each in made.stays] == ["db", "cache"]
    assert "what it says on port 5432 is not HTTP" in made.text
    assert compose.convert(text, "db").services == ("web", "db")


def test_a_migration_that_comes_first_is_not_taken_for_the_service(compose: Composing) -> None:
    service = compose.service(
        """
        services:
          migrate: {build: ., command: migrate}
          worker: {build: ., command: work}
        """
    )
    assert (service.migrate, list(service.processes)) == (Migrate(command=("migrate",)), ["web"])
    assert service.main.command == ("work",)
    assert compose.convert("services: {migrate: {build: ., command: migrate}}").services == ("migrate",)


def test_only_one_command_can_be_the_migration(compose: Composing) -> None:
    service = compose.service(
        """
        services:
          web:
            build: .
            ports: ["80"]
            depends_on:
              one: {condition: service_completed_successfully}
              two: {condition: service_completed_successfully}
          one: {build: ., command: first}
          two: {build: ., command: second, user: admin}
        """
    )
    assert service.migrate == Migrate(command=("first",))
    assert list(service.processes) == ["web"]
    assert {key for name, key in compose.left() if name == "two"} == {"build", "command", "user"}


def test_extends_inherits_as_compose_does(compose: Composing) -> None:
    service = compose.service(
        """
        services:
          base:
            image: none
            environment: {A: base, B: base}
            volumes: [one:/one]
            command: [base]
          web:
            extends: {service: base}
            build: .
            environment: {B: own}
            volumes: [two:/two]
            command: [own]
            ports: ["80"]
        """
    )
    assert service.main.environment == {"A": "base", "B": "own"}
    assert service.main.volumes == ("shop_one:/one", "shop_two:/two")
    assert service.main.command == ("own",)


@pytest.mark.parametrize("extends", ["{file: other.yaml, service: a}", "web", "nobody", "{}"])
def test_an_inheritance_that_cannot_be_followed_is_named(compose: Composing, extends: str) -> None:
    compose.convert(f"services: {{web: {{build: ., extends: {extends}}}}}")
    assert ("web", "extends") in compose.left()


def test_a_second_file_that_compose_would_read_is_named(compose: Composing) -> None:
    compose.write("compose.override.yaml", "services: {}")
    compose.convert("include: [other.yaml]\nservices: {web: {build: .}}")
    assert set(compose.left()) == {("", "include"), ("", "compose.override.yaml")}
