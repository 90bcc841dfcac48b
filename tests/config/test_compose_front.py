"""What stands in front of a Compose project, and how it finds the cockpit's edge beside Compose's own containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.composing import Composing

NGINX = """
    services:
      web:
        build: .
        command: serve
      nginx:
        image: nginx:1.27
        ports: ["80:80"]
        volumes: [./nginx:/etc/nginx/conf.d:ro]
"""
TRAEFIK = """
    services:
      web:
        build: .
        expose: ["8000"]
        labels:
          traefik.enable: "true"
          traefik.constraint-label: public
          traefik.http.routers.cockpit.rule: Host(`shop.example.com`)
          traefik.http.routers.cockpit.entrypoints: web
          traefik.http.routers.cockpit.middlewares: secure
          traefik.http.routers.tls.rule: "Host(`shop.example.com`) && PathPrefix(`/LONG`)"
          traefik.http.routers.tls.entrypoints: websecure
          traefik.http.routers.tls.tls.certresolver: le
          traefik.http.routers.tls.middlewares: "both@docker, sso@file"
          traefik.http.routers.tls.service: cockpit
          traefik.http.routers.tls.priority: "50"
          traefik.http.routers.dashboard.rule: Host(`traefik.example.com`)
          traefik.http.routers.dashboard.service: api@internal
          traefik.http.services.cockpit.loadbalancer.server.port: "8000"
          traefik.http.middlewares.secure.redirectscheme.scheme: https
          traefik.http.middlewares.both.chain.middlewares: staff,secure
          traefik.http.middlewares.staff.basicauth.users: maya:$$apr1$$salt$$hash
          traefik.http.middlewares.unused.compress: "true"
      traefik:
        image: traefik:v3
        ports: ["80:80"]
"""


@pytest.fixture
def compose(tmp_path: Path) -> Composing:
    return Composing(tmp_path)


def labels(compose: Composing, text: str) -> dict[str, str]:
    compose.convert(text)
    return compose.uncommented().placements[0].environment.edge.labels


class TestTraefik:
    def test_no_router_service_or_middleware_has_a_name_of_the_project_s(self, compose: Composing) -> None:
        given = labels(compose, TRAEFIK)
        names = {tuple(label.split(".")[2:4]) for label in given if label.startswith("traefik.http.")}
        assert names == {
            ("routers", "cockpit-cockpit"),
            ("routers", "cockpit-tls"),
            ("services", "cockpit-2"),
            ("middlewares", "cockpit-secure"),
            ("middlewares", "cockpit-both"),
            ("middlewares", "cockpit-staff"),
        }

    def test_a_router_is_copied_with_all_but_its_service_and_comes_last(self, compose: Composing) -> None:
        given = labels(compose, TRAEFIK)
        start = "traefik.http.routers.cockpit-tls."
        assert {name.removeprefix(start): value for name, value in given.items() if name.startswith(start)} == {
            "rule": "Host(`shop.example.com`) && PathPrefix(`/LONG`)",
            "entrypoints": "websecure",
            "tls.certresolver": "le",
            "middlewares": "cockpit-both,sso@file",
            "priority": "1",
        }

    def test_middlewares_come_along_for_they_end_with_compose_s_container(self, compose: Composing) -> None:
        given = labels(compose, TRAEFIK)
        assert given["traefik.http.middlewares.cockpit-both.chain.middlewares"] == "cockpit-staff,cockpit-secure"
        assert given["traefik.http.middlewares.cockpit-secure.redirectscheme.scheme"] == "https"
        assert given["traefik.constraint-label"] == "public"

    def test_what_is_a_secret_there_is_not_shown_and_said(self, compose: Composing) -> None:
        assert labels(compose, TRAEFIK)["traefik.http.middlewares.cockpit-staff.basicauth.users"] == "(not shown)"
        assert "$apr1$" not in compose.text()
        assert "# Look at it first: what is (not shown) is in the Compose file.\n" in compose.text()

    def test_a_rule_that_does_not_fit_into_a_line_stays_one(self, compose: Composing) -> None:
        rule = " || ".join(f"Host(`shop-{number}.example.com`)" for number in range(100))
        text = TRAEFIK.replace("Host(`shop.example.com`)", rule)
        assert labels(compose, text)["traefik.http.routers.cockpit-cockpit.rule"] == rule

    def test_a_line_break_in_a_label_ends_no_comment(self, compose: Composing) -> None:
        given = labels(compose, TRAEFIK.replace("public", '"a\\nservices: {evil: {}}\\u202e"'))
        assert given["traefik.constraint-label"] == "a\nservices: {evil: {}}\u202e"
        assert not any(line.startswith("services: {evil") for line in compose.text().splitlines())
        assert "\u202e" not in compose.text()

    def test_without_a_rule_one_is_made_up_and_said(self, compose: Composing) -> None:
        text = "services: {web: {build: ., ports: ['80'], labels: [traefik.enable=true]}}"
        assert labels(compose, text)["traefik.http.routers.cockpit.rule"] == "Host(`web.example.com`)"
        assert "# Look at it first: the rule is made up" in compose.text()

    def test_a_priority_as_low_as_the_edge_s_is_pointed_out(self, compose: Composing) -> None:
        compose.convert(TRAEFIK.replace('"50"', '"1"'))
        assert "# Look at it first: a router of Compose's has a priority as low" in compose.text()

    @pytest.mark.parametrize(
        ("label", "networks", "expected"),
        [("", "[default, edge, back]", "shop_edge"), ("- traefik.docker.network=said", "[default]", "said")],
    )
    def test_its_network_is_the_one_that_traefik_is_in(
        self, compose: Composing, label: str, networks: str, expected: str
    ) -> None:
        compose.convert(
            f"""
            services:
              web:
                build: .
                ports: ["8000"]
                networks: {networks}
                labels:
                  - traefik.enable=true
                  {label}
              traefik: {{image: "traefik:v3", ports: ["80:80"], networks: [edge]}}
            """
        )
        edge = compose.uncommented().placements[0].environment.edge
        assert (edge.networks, edge.labels["traefik.docker.network"]) == ((expected,), expected)


class TestNginxInAContainer:
    def test_its_configuration_in_the_project_tells_the_port(self, compose: Composing) -> None:
        compose.write("nginx/shop.conf", "# proxy_pass http://web:1;\nlocation / { proxy_pass http://web:8000; }\n")
        assert compose.service(NGINX).main.port == 8000
        assert "# from web:8000, as others call it" in compose.text()
        assert "# nginx calls it web, which is Compose's own container" in compose.text()

    @pytest.mark.parametrize("said", ["fastcgi_pass web:9000;", "server api:8000;", "\0", "x" * 300_000])
    def test_a_port_that_nothing_tells_is_asked_for_loudly(self, compose: Composing, said: str) -> None:
        compose.write("nginx/shop.conf", said)
        made = compose.convert(NGINX + "        depends_on: [web]\n")
        assert made.wanting == ("web",)
        assert "# WRITE THE PORT that web listens at in place of null" in made.text
        assert "# nginx has customers for it: without a port nobody reaches it here" in made.text
        assert "# with it write aliases: [shop], for web is Compose's own container" in made.text
        assert "\n    port: null\n" in made.text

    def test_the_port_is_the_image_s_where_the_dockerfile_says_it(self, compose: Composing) -> None:
        compose.write("Dockerfile", "FROM scratch\nEXPOSE 9000\n")
        made = compose.convert(NGINX + "        depends_on: [web]\n")
        assert (made.wanting, "port: 9000" in made.text) == ((), True)

    def test_a_port_of_another_process_takes_no_customers_from_it(self, compose: Composing) -> None:
        made = compose.convert(
            """
            services:
              flower: {build: ., ports: ["5555:5555"], command: flower}
              site: {build: ., command: serve}
              worker: {build: ., command: work}
              nginx: {image: nginx, ports: ["80:80"], depends_on: [site, worker]}
            """
        )
        assert made.text.count("# WRITE THE PORT") == 1
        assert "# WRITE THE PORT that site listens at" in made.text

    def test_files_outside_of_the_project_are_not_read(self, compose: Composing, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "shop.conf").write_text("proxy_pass http://web:8000;")
        (compose.directory / "nginx").symlink_to(tmp_path / "outside")
        assert compose.convert(NGINX).wanting == ("web",)

    def test_one_that_is_built_stays_with_compose_and_tells_the_port_too(self, compose: Composing) -> None:
        text = """
            services:
              web: {build: .}
              nginx: {build: {context: ./nginx}, ports: ["80:80"], depends_on: [web]}
            """
        compose.write("nginx/default.conf", "upstream app { server web:8000; }\n")
        made = compose.convert(text)
        assert (made.services, [each.name for each in made.stays]) == (("web",), ["nginx"])
        assert compose.service(text).main.port == 8000
        assert compose.convert(text, "nginx").services == ("web", "nginx")

    def test_one_that_is_alone_is_the_application(self, compose: Composing) -> None:
        assert compose.convert("services: {nginx: {build: ., ports: ['80:80']}}").services == ("nginx",)

    def test_one_that_is_not_known_to_call_it_gets_a_name_all_the_same(self, compose: Composing) -> None:
        service = compose.service(NGINX.replace("command: serve", 'expose: ["8000"]'))
        assert service.main.aliases == ("shop",)
        assert "# nginx may call it web, which is Compose's own container" in compose.text()


class TestNames:
    def test_no_alias_is_a_name_that_a_compose_container_has(self, compose: Composing) -> None:
        service = compose.service(
            """
            services:
              web:
                build: .
                ports: ["127.0.0.1:8000:8000"]
                container_name: shop
                networks: {default: {aliases: [web-live]}}
              nginx: {image: nginx, ports: ["80:80"], depends_on: [web]}
            """
        )
        assert service.main.aliases == ("web-live-2",)
        assert "# nginx calls it web or shop or web-live, which is Compose's own container" in compose.text()

    def test_an_alias_of_what_has_no_customers_is_named(self, compose: Composing) -> None:
        compose.convert(
            """
            services:
              web: {build: ., ports: ["80"]}
              worker: {build: ., command: work, networks: {default: {aliases: [jobs]}}}
            """
        )
        assert compose.left()["worker", "networks"] == "only what has a port and a network is called by a name"


def test_the_application_s_own_port_is_handed_over(compose: Composing) -> None:
    settings = compose.settings("services: {web: {build: ., ports: ['80:8000']}}")
    assert settings.placements[0].environment.edge.listen == "127.0.0.1:8100"
    assert "# Until it hands the port over, the edge is at this address (docs/adopt.md)." in compose.text()


def test_a_process_that_runs_beside_compose_s_is_pointed_out(compose: Composing) -> None:
    compose.convert("services: {web: {build: ., ports: ['80']}, jobs: {build: ., command: a}, beat: {build: .}}")
    assert compose.text().count("# runs beside Compose's own from the first deploy on") == 1
    assert "# before the first deploy: docker compose stop beat\n" in compose.text()
