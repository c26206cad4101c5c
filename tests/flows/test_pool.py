"""A task that is cancelled in the middle of its transaction leaves nothing behind on its connection."""

import anyio
import pytest

from app.store.marks import Mark
from app.store.pool import Transaction, connect


async def test_a_cancelled_transaction_is_rolled_back_before_the_connection_is_used_again(database_url: str) -> None:
    async with connect(database_url, work_size=1) as database:

        async def never_ends(transaction: Transaction) -> None:
            await transaction.connection.execute("INSERT INTO lane (scope, lane) VALUES ('a', 'half done')")
            await transaction.connection.execute("SELECT pg_sleep(60)")

        with pytest.raises(TimeoutError), anyio.fail_after(0.3):
            await database.transact(never_ends)
        assert await database.work.fetchval("SELECT count(*) FROM lane") == 0
        await database.mark([Mark("a", "stock", "VX-1")])
        assert await database.desk.fetchval("SELECT count(*) FROM outbox") == 1
