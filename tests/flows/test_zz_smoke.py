import time
from tests.flows.service import *

async def test_smoke(database_url):
    t=time.monotonic()
    async with running(database_url, settle=False) as s:
        print("up", time.monotonic()-t)
        await s.at_rest()
        print("rest", time.monotonic()-t)
        await s.sell((await s.sizes())[0]["sku"], 77)
        await s.at_rest()
        print("rest2", time.monotonic()-t)
        print(await s.admin.calls(s.mirakl()))
    print("down", time.monotonic()-t)
