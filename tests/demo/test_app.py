"""The shop's commits in real containers: each behaves as the demo's story needs it."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator

import docker
import pytest
from docker.errors import BuildError

from cockpit.demo import repo, runtime
from tests.demo.shop import Bench
from tests.waiting import until

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    installation = f"demo-test-{uuid.uuid4().hex[:8]}"
    bench = Bench(docker.from_env(), installation, runtime.build(installation))
    yield bench
    bench.clear()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> repo.Shop:
    return repo.make(tmp_path_factory.mktemp("demo") / "shop", time.time())


def test_the_runtime_image_is_built_once_and_carries_the_installation(bench: Bench) -> None:
    before = bench.client.images.get(bench.runtime)
    assert runtime.build(bench.installation) == bench.runtime
    assert bench.client.images.get(bench.runtime).id == before.id
    assert before.labels[runtime.LABEL] == bench.installation


async def test_a_good_commit_boots_and_echoes_release_commit_and_request(bench: Bench, shop: repo.Shop) -> None:
    with bench.run(bench.build(shop, "checkout", "declined")) as running:
        assert (await running.up()).status == 200
        answer = await running.get("/echo?id=abc-77")
        assert answer is not None
        assert answer.body.decode().split() == ["checkout", "r7", "abc1234", "abc-77"]
        assert answer.headers["x-release"] == "r7"
        await until(lambda: "GET /echo?id=abc-77 200" in running.log, 5, "a log line of the request")
        assert "/up" not in running.log
        started = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - started < 5


def test_the_image_of_a_moved_price_list_cannot_be_built(bench: Bench, shop: repo.Shop) -> None:
    with pytest.raises(BuildError, match=r"prices\.csv") as error:
        bench.build(shop, "web", "data")
    assert "not found" in str(error.value)


def test_a_missing_payment_key_ends_the_container_with_the_telling_line(bench: Bench, shop: repo.Shop) -> None:
    with bench.run(bench.build(shop, "checkout", "stripe")) as running:
        assert running.exit_status() == 1
        assert running.log.splitlines()[-1] == "KeyError: 'STRIPE_KEY'"


async def test_a_service_without_its_stock_is_never_healthy_and_says_why(bench: Bench, shop: repo.Shop) -> None:
    with bench.run(bench.build(shop, "web", "stock")) as running:
        assert (await running.up()).status == 503
        await until(lambda: "cannot reach inventory" in running.log, 5, "the reason in the log")


@pytest.mark.parametrize(
    ("service", "fix"), [("web", "data-fix"), ("checkout", "stripe-fix"), ("web", "stock-fix"), ("checkout", "tax-fix")]
)
async def test_each_fix_serves_again(bench: Bench, shop: repo.Shop, service: str, fix: str) -> None:
    with bench.run(bench.build(shop, service, fix)) as running:
        assert (await running.up()).status == 200
        answer = await running.get("/echo?id=1")
        assert answer is not None
        assert answer.status == 200


async def test_an_exhausted_pool_fails_three_in_ten_after_20_s_while_the_checks_stay_green(
    bench: Bench, shop: repo.Shop
) -> None:
    with bench.run(bench.build(shop, "checkout", "tax")) as running:
        assert (await running.up()).status == 200
        started = time.monotonic()
        first = await running.get("/echo?id=1")
        assert first is not None
        assert first.status == 200
        await until(lambda: time.monotonic() - started > 20.5, 30, "20 s gone")
        answers = [await running.get(f"/echo?id={number}") for number in range(300)]
        statuses = Counter(answer.status for answer in answers if answer)
        assert set(statuses) == {200, 500}
        assert 50 <= statuses[500] <= 135  # 30 % of 300, five standard deviations
        up = await running.get("/up")
        assert up is not None
        assert up.status == 200
        assert "tax: connection pool exhausted" in running.log
