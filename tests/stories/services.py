"""Services as small as they can be: a web server on the test runtime, with the faults that a story wants."""

from __future__ import annotations

from collections.abc import Mapping

Files = Mapping[str, str]

DOCKERFILE = """FROM {runtime}
WORKDIR /app
COPY . ./
CMD ["sh", "/app/start"]
"""
START = "exec caddy run --config /app/Caddyfile --adapter caddyfile\n"
CADDYFILE = """{
	admin off
	auto_https off
	persist_config off
	grace_period 1s
}

http://:{$PORT:8000} {
	bind {$BIND:0.0.0.0}
	header X-Release {env.COCKPIT_RELEASE}
	header X-Greeting {env.GREETING}
	respond /up {$HEALTH:200}
	respond "{env.COCKPIT_SERVICE} {env.COCKPIT_RELEASE} {env.COCKPIT_COMMIT} {http.request.uri.query.id}
"
}
"""
WORKER = """trap 'exit 0' TERM
echo "working as $COCKPIT_RELEASE"
while :; do sleep 1 & wait $!; done
"""


def web(runtime: str, **changed: str) -> Files:
    """Its files, some of them changed: `web(runtime, start="exit 1\\n")`."""
    return {"Dockerfile": DOCKERFILE.format(runtime=runtime), "start": START, "Caddyfile": CADDYFILE} | changed


def worker(runtime: str) -> Files:
    return {"Dockerfile": DOCKERFILE.format(runtime=runtime), "start": WORKER}


def web_with(line: str, runtime: str) -> Files:
    """The web server with one more line in its Dockerfile."""
    files = web(runtime)
    return {**files, "Dockerfile": f"{files['Dockerfile']}{line}\n"}
