"""What a marketplace's operator decides of each product, in words a merchandiser understands.

One key, on a timer. Where the operator has the Catalog Manager, CM11 says of every product that changed whether it is
live, and why not; elsewhere the imports that are with the operator are asked for until they are complete, and their
reports name what was refused (P44), what is new there (P45), and what never reached the operator (P46 lacks it). An
offer waits until its product is live, and is marked then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from app.domain.teams import Team
from app.engine.flow import Flow, Pass
from app.engine.retry import after_failure
from app.flows.products import PRODUCTS, identifier_of
from app.flows.publishing.book import Book, open_book
from app.mirakl.catalogue_schema import ProductError, ProductImportStatus, SourceProduct
from app.mirakl.quotas import spacing_seconds
from app.store import imports, mirrors, publications
from app.store.marks import Mark
from app.store.outbox import Claim, Settled, Verdict, Waiting
from app.store.pool import Transaction
from app.store.publications import Kind, Publication, Standing
from app.telemetry.logs import log
from app.wire.outcome import Applied, Failure, RefusalKind, Refused

PRODUCT_STATUS = "product_status"
OVERLAP = timedelta(minutes=10)
UNREAD_SECONDS = 60.0
LIVE, COMPLETE = "LIVE", "COMPLETE"
DECIDED = "product_status.decided"
"""The cursor that holds the newest import whose products are all decided."""
Found = dict[str, tuple[Standing, tuple[str, ...]]]
ADDED = "the marketplace did not have it before"
LOST = "it never reached the operator, and no report says why; `centra-mirakl catalogue release` sends it again"


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Ask what was decided since the last time."""
    claim, services = turn.claims[0], turn.services
    async with services.database.work.acquire() as connection:
        book = await open_book(connection, turn.scope)
    if book is None:
        return {claim: Waiting(services.clock.after(UNREAD_SECONDS), "the channel has no map yet")}
    failure = await (_by_product(turn) if book.has_catalog_manager else _by_import(turn, book))
    if failure is not None:
        return {claim: after_failure(failure, claim, services.clock, services.pauses, turn.scope)}
    services.pauses.resume(turn.scope)
    seconds = spacing_seconds("CM11", services.channel(turn.scope).profile, services.clock.scale)
    return {claim: Settled(services.clock.after(seconds))}


# ---------------------------------------------------------------------------------------- with the Catalog Manager


async def _by_product(turn: Pass) -> Failure | None:
    services, scope = turn.services, turn.scope
    asked_at = services.clock.now()
    async with services.database.work.acquire() as connection:
        last = await mirrors.read_cursor(connection, scope, PRODUCT_STATUS, str)
        undecided = await publications.undecided_since(connection, scope, Kind.PRODUCTS)
    since = datetime.fromisoformat(last) if last else asked_at - timedelta(days=1)
    since = min(since, undecided or since) - OVERLAP  # it may have been decided before we knew that it was taken
    answer = await services.mirakl[scope].cm11_list_source_products(since)
    if not isinstance(answer, Applied):
        return answer
    found: Found = {}
    for one in answer.value:
        if isinstance(one, SourceProduct):
            found[one.provider_unique_identifier] = standing_of(one)
        else:
            log.warning("product_unreadable", scope=scope, key=one.id, reason=one.reason)
    await _write(turn, found)
    async with services.database.work.acquire() as connection:
        await mirrors.write_cursor(connection, scope, PRODUCT_STATUS, asked_at.isoformat())
    return None


def standing_of(one: SourceProduct) -> tuple[Standing, tuple[str, ...]]:
    """Live; rejected, with every reason; or not decided yet."""
    if one.status == LIVE:
        return Standing.LIVE, ()
    reasons = tuple(dict.fromkeys(words for error in one.errors or () for words in _words(error)))
    return (Standing.REJECTED, reasons) if reasons else (Standing.WAITING, ("the operator has not decided yet",))


def _words(error: ProductError) -> Iterable[str]:
    """The operator's own words before those of the platform."""
    rejection, details = error.rejection_details, error.integration_details or ()
    where = f" (on {', '.join(error.channels)})" if error.channels else ""
    if rejection is not None:
        label = rejection.reason_label or rejection.reason_code or "rejected by the operator"
        yield label + (f": {rejection.message}" if rejection.message else "") + where
    for detail in details:
        attribute = f"{detail.attribute_code}: " if detail.attribute_code else ""
        yield f"{attribute}{detail.message or detail.code or 'not accepted'}{where}"
    if rejection is None and not details:
        yield (error.message or f"error {error.code}") + where


# ------------------------------------------------------------------------------------------ without it, by import


async def _by_import(turn: Pass, book: Book) -> Failure | None:
    """Imports in the order in which they were sent; the first that is not complete ends the look."""
    services, scope = turn.services, turn.scope
    async with services.database.work.acquire() as connection:
        decided = await mirrors.read_cursor(connection, scope, DECIDED, int) or 0
        sent = await imports.done_since(connection, scope, PRODUCTS, decided)
    for number, remote_id in sent:
        status = await services.mirakl[scope].p42_get_product_import(remote_id)
        if isinstance(status, Refused) and status.kind is RefusalKind.MISSING:
            continue
        if not isinstance(status, Applied):
            return status
        if status.value.import_status != COMPLETE:
            return None
        async with services.database.work.acquire() as connection:
            keys = [line.key for line in await imports.read_lines(connection, number)]
        found = await _reported(turn, book, remote_id, status.value, keys)
        if not isinstance(found, dict):
            return found
        await _write(turn, found)
        async with services.database.work.acquire() as connection:
            await mirrors.write_cursor(connection, scope, DECIDED, number)
    return None


async def _reported(
    turn: Pass, book: Book, remote_id: str, status: ProductImportStatus, keys: Sequence[str]
) -> Found | Failure:
    """What the reports of a complete import say of its products."""
    mirakl, column = turn.services.mirakl[turn.scope], identifier_of(book)
    handed, added = set(keys), set[str]()
    if status.has_transformed_file:
        file = await mirakl.p46_get_transformed_file(remote_id, book.delimiter)
        if not isinstance(file, Applied):
            return file
        handed = {row[column] for row in file.value if column in row} or handed  # an operator may write another form
    if status.has_new_product_report:
        new = await mirakl.p45_get_new_products(remote_id, book.delimiter)
        if not isinstance(new, Applied):
            return new
        added = {row.get(column, "") for row in new.value}
    found: Found = dict.fromkeys(handed.intersection(keys), (Standing.LIVE, ()))
    found |= dict.fromkeys(added.intersection(keys), (Standing.LIVE, (ADDED,)))
    found |= dict.fromkeys(set(keys) - handed, (Standing.REJECTED, (LOST,)))
    if status.has_error_report:
        report = await mirakl.p44_get_product_errors(remote_id, column, book.delimiter)
        if not isinstance(report, Applied):
            return report
        for line in report.value:
            words = tuple(words.message for words in line.errors) or ("the operator did not take it",)
            found[line.identifier] = (Standing.REJECTED, words)
    return found


async def _write(turn: Pass, found: Found) -> None:
    """How products stand, and the offers that waited for them. What was sent anew meanwhile is not decided yet."""
    services, scope = turn.services, turn.scope
    async with services.database.work.acquire() as connection:
        told = await publications.read(connection, scope, Kind.PRODUCTS, found)
    open_ = {key: state for key, state in found.items() if key in told and _says_more(told[key], state)}
    if not open_:
        return
    rejected = [key for key, (state, _) in open_.items() if Standing.REJECTED in (state, told[key].state)]
    live = [key for key, (state, _) in open_.items() if state is Standing.LIVE]

    async def steps(tx: Transaction) -> None:
        await publications.turn(tx.connection, scope, Kind.PRODUCTS, open_)
        tx.mark(Mark(scope, Kind.OFFERS.value, key) for key in live)
        tx.mark(Mark(scope, PRODUCTS, key) for key in rejected)  # held there, or not any more

    await services.database.transact(steps)
    log.info("products_decided", scope=scope, count=len(open_), lines=len(live))


def _says_more(told: Publication, found: tuple[Standing, tuple[str, ...]]) -> bool:
    """Whether a decision is about what was sent last, and new."""
    if told.sent_version > told.confirmed_version:
        return False
    if told.state is Standing.HELD:  # and stays so
        return told.known is not (found[0] is Standing.LIVE)
    decided = told.state in (Standing.WAITING, Standing.LIVE, Standing.REJECTED)
    return decided and (told.state, told.reasons) != found


FLOW = Flow(
    name=PRODUCT_STATUS,
    team=Team.ECOMMERCE,
    scoped="channel",
    work=work,
    keys=lambda _settings, _scope: {PRODUCT_STATUS: 0.0},
    on=lambda settings, scope: PRODUCTS in settings.by_id()[scope].publishes,
)
