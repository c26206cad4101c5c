"""Webhooks of both kinds, over HTTP into the running service: a hint that saves time, and never more than that."""

import statistics
import time

import anyio
import asyncpg
import pytest

from app.centra.webhook import BODY_LIMIT_BYTES
from app.commands.lab import WEBHOOK_SECRET
from app.settings import CENTRA_WEBHOOK_SECRETS
from tests.flows.service import FR, SOURCE, Service, counted, payload, running, shape, until
from tests.standins import Json

SELDOM = {"centra": "event_poll_seconds = 86400"}
TAKEN = "SELECT count(*) FROM webhook_seen"
MARKS = "SELECT coalesce(sum(version), 0) FROM outbox WHERE flow IN ('sizes', 'events')"


async def _storefront(service: Service) -> bytes:
    """A storefront webhook about the first variant."""
    items = (await service.sizes())[0]["display_items"]
    return payload({"products": [str(item) for item in items]})


async def _file_left(service: Service, after: float) -> float:
    """Real time at which the first STO01 after a moment arrived."""

    async def calls() -> list[float]:
        return [c["at_real"] for c in await service.calls(service.mirakl(), "STO01") if c["at_real"] > after]

    return (await until(calls, "a file leaves"))[0]


async def test_storefront_webhook_after_an_idle_spell_leads_to_a_file_within_a_second(database_url: str) -> None:
    """No event is polled here, so the webhook alone does it."""
    async with running(database_url, shape(channel_lines=SELDOM)) as service:
        await service.webhooks_on(kinds=["storefront"])
        sku = (await service.sizes())[0]["sku"]
        seconds = []
        for _ in range(3):
            await service.jump(120)  # an idle spell: STO01 may be called
            began_at = time.time()
            await service.bump([sku])
            seconds.append(await _file_left(service, began_at) - began_at)
            await service.at_rest()
        assert statistics.median(seconds) < 1.0, seconds
        deliveries = (await service.admin.get(service.centra, "/_sandbox/webhooks"))["deliveries"]
        assert {d["kind"] for d in deliveries} == {"storefront"}
        assert {d["outcome"] for d in deliveries} == {"delivered"}


async def test_integration_webhook_leads_to_a_read_of_the_order_queue(database_url: str) -> None:
    async with running(database_url, shape(channel_lines=SELDOM)) as service:
        await service.webhooks_on(kinds=["integration"])
        before = len(await service.calls(service.centra, "OrderEvents"))
        sku = (await service.sizes())[0]["sku"]
        await service.admin.post(service.centra, "/_sandbox/orders", {"sku": sku, "quantity": 1})

        async def stored() -> int:
            return await service.count("SELECT count(*) FROM inbox WHERE kind = 'Order' AND state = 'stored'")

        await until(stored, "the order's fact is stored")
        assert len(await service.calls(service.centra, "OrderEvents")) > before
        await service.at_rest()  # the size that it took from was read, too


async def test_what_is_not_genuine_is_turned_away_stored_nowhere_and_counted(database_url: str) -> None:
    async with running(database_url, shape(channel_lines=SELDOM)) as service:
        body = await _storefront(service)
        other = payload({"products": ["999999"]})
        large = b"payload=" + b"x" * (BODY_LIMIT_BYTES + 1)
        odd = b"payload=%7Bnot+json"
        genuine = service.sign(body)
        refused: list[tuple[str, bytes, str | None, int]] = [
            ("wrong_signature", other, genuine, 401),
            ("wrong_signature", body, service.sign(body, secret="forged"), 401),
            ("too_old", body, service.sign(body, age_seconds=400), 401),
            ("in_the_future", body, service.sign(body, age_seconds=-400), 401),
            ("unsigned", body, None, 401),
            ("malformed", body, "t=1,v1=zz", 401),
            ("too_large", large, service.sign(large), 413),
            ("unreadable", odd, service.sign(odd), 400),
        ]
        marks = await service.count(MARKS)
        for verdict, content, signature, status in refused:
            before = counted("webhooks_total", scope=SOURCE, verdict=verdict)
            assert (await service.deliver(content, signature)).status_code == status, verdict
            assert counted("webhooks_total", scope=SOURCE, verdict=verdict) == before + 1, verdict
        for method in ("GET", "PUT", "DELETE"):
            assert (await service.deliver(body, genuine, method)).status_code == 405
        assert await service.count(TAKEN) == 0
        assert await service.count(MARKS) == marks

        taken = counted("webhooks_total", scope=SOURCE, verdict="taken")
        repeated = counted("webhooks_total", scope=SOURCE, verdict="repeat")
        assert (await service.deliver(body, genuine)).status_code == 200
        await until(lambda: service.count(MARKS + f" HAVING sum(version) > {marks}"), "the hint was taken")
        await service.at_rest()
        marks = await service.count(MARKS)
        for _ in range(3):
            assert (await service.deliver(body, genuine)).status_code == 200
        assert counted("webhooks_total", scope=SOURCE, verdict="taken") == taken + 1
        assert counted("webhooks_total", scope=SOURCE, verdict="repeat") == repeated + 3
        assert await service.count(TAKEN) == 1
        assert await service.count(MARKS) == marks


async def test_a_hint_about_nothing_we_know_is_taken_and_harmless(database_url: str) -> None:
    async with running(database_url) as service:
        members: list[Json] = [
            {"products": ["999999"]},
            {"products": []},
            {"events": [{"type": "order", "action": "insert", "id": 1}, {"type": "new-to-us", "id": 2}]},
            {"surprise": {"a": 1}},
        ]
        for each in members:
            body = payload(each)
            assert (await service.deliver(body, service.sign(body))).status_code == 200
        await service.bump([(await service.sizes())[0]["sku"]])
        await service.at_rest()
        assert await service.held(SOURCE, "events") == {}


@pytest.mark.parametrize("table", ["outbox", "webhook_seen"])
async def test_a_webhook_is_answered_within_a_second_while_postgres_is_locked(database_url: str, table: str) -> None:
    """503 then; and the same call, tried again, is not mistaken for a repeat of what was never marked."""
    async with running(database_url, shape(channel_lines=SELDOM)) as service:
        body = await _storefront(service)
        signature = service.sign(body)
        marks = await service.count(MARKS)
        locker = await asyncpg.connect(database_url)
        async with locker.transaction():
            await locker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            answers: list[int] = []

            async def send() -> None:
                answers.append((await service.deliver(body, signature)).status_code)

            async with anyio.create_task_group() as at_once:
                for _ in range(8):
                    at_once.start_soon(send)
            seconds = time.monotonic() - began
        await locker.close()
        assert answers == [503] * 8
        assert seconds < 3, "eight at once, each within a second of its arrival; Centra waits for five"
        assert (await service.deliver(body, signature)).status_code == 200
        assert await service.count(MARKS) > marks, "the hint was lost"
        assert counted("webhooks_total", scope=SOURCE, verdict="unavailable") >= 8


async def test_two_secrets_are_valid_while_one_replaces_the_other(database_url: str) -> None:
    """Rotation: a mounted file changes, no restart."""
    async with running(database_url, shape(channel_lines=SELDOM)) as service:
        file = service.secrets / CENTRA_WEBHOOK_SECRETS.lower()
        statuses: dict[str, list[int]] = {}
        for name, valid in (
            ("old only", WEBHOOK_SECRET),
            ("both", f"new-one, {WEBHOOK_SECRET}"),
            ("new only", "new-one"),
            ("none", ""),
        ):
            file.write_text(valid)
            for secret in (WEBHOOK_SECRET, "new-one"):
                body = payload({"products": [f"{name}{secret}"]})
                answer = await service.deliver(body, service.sign(body, secret=secret))
                statuses.setdefault(name, []).append(answer.status_code)
        assert statuses == {"old only": [200, 401], "both": [200, 200], "new only": [401, 200], "none": [401, 401]}


async def test_signatures_are_forgotten_once_their_window_has_passed(database_url: str) -> None:
    async with running(database_url) as service:
        body = await _storefront(service)
        assert (await service.deliver(body, service.sign(body))).status_code == 200
        assert await service.count(TAKEN) == 1
        await service.jump(4_000)

        async def forgotten() -> bool:
            return await service.count(TAKEN) == 0

        await until(forgotten, "the sweep has cleared it")


async def test_a_webhook_that_comes_twice_and_out_of_order_changes_nothing(database_url: str) -> None:
    async with running(database_url) as service:
        await service.webhooks_on(duplicate=1.0, reorder=True, max_events=1)
        skus = [size["sku"] for size in await service.sizes()]
        for _ in range(3):
            await service.bump(skus)
            await service.sell(skus[0], 9)
        await service.at_rest()
        assert await service.held(FR, "stock") == {}
