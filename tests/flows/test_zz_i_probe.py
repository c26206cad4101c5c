from tests.flows.test_field_cases_orders import *
import anyio
async def test_probe(database_url):
    lines = {FR: "unallocated_seconds = 300"}
    async with running(database_url, order_shape(order_lines=lines)) as service:
        await service.admin.post(service.centra, "/_sandbox/orders/options", {"create_only_takes_stock": False})
        sku = (await service.sizes())[0]["sku"]
        down: Json = {"code": "SetIdConversions", "kind": "status", "status": 503, "count": None}
        await service.faults(service.centra, down)
        await service.place({"order_id": "D-7001-A", "lines": [{"sku": sku}], **AT_ONCE})
        await service.becomes("D-7001-A", lambda record: record.number)
        await service.sell(sku, 0)
        await service.admin.clear_faults(service.centra)
        for _ in range(6):
            await anyio.sleep(1)
            print([(r["flow"],r["state"],r["reason"],r["due_at"]) for r in await service.database.fetch("select * from outbox where key='D-7001-A'")], service.parts.clock.now())
            print(await service.record("D-7001-A"))
            print([dict(r) for r in await service.database.fetch("select * from lane")])
            print((await service.entry("D-7001-A"))["lines"])
