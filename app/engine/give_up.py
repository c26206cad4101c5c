"""An import that nobody can answer for: its slot is freed and its keys are pushed again, now and ten minutes later.

The second time is for an import that was lost on its way and is still applied late. The import's own key is due
by then: it was marked for its owner's lease end when the import was opened, and waits on from there (flow
`imports`).
"""

from __future__ import annotations

from app.domain.ids import ImportId, Scope
from app.store import imports, offers
from app.store.outbox import LEASE_SECONDS
from app.store.pool import Transaction

ORPHANED_SECONDS = LEASE_SECONDS + 1.0
"""Real seconds after which an import without an id has no living owner."""
APPLIED_LATE_SECONDS = 600.0
"""App seconds within which a lost import may still be applied."""


async def give_up(transaction: Transaction, scope: Scope, import_id: ImportId, reason: str) -> None:
    """Free the slot of an import in doubt and push its keys again."""
    await imports.finish(transaction.connection, import_id, "unknown", note=reason)
    await push_all_again(transaction, scope, import_id)


async def push_all_again(transaction: Transaction, scope: Scope, import_id: ImportId) -> None:
    """Nothing that an import carried is believed any more: void and mark its keys."""
    lines = await imports.read_lines(transaction.connection, import_id)
    transaction.mark(await offers.push_again(transaction.connection, scope, [line.key for line in lines]))
