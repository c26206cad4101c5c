"""A product that a marketplace does not have yet, or has otherwise, reaches it in its own words.

A key is a SKU of the channel: at Mirakl each size is a product. A pass takes the slot and the permit of P41, maps every
due SKU by the channel's map, checks it as the marketplace would, asks by P31 which of the new ones the marketplace has
already, and posts the others as one file. A product with a fault holds itself and no other; one that was rejected is
sent again once it is another one. Where the operator decides each product, it waits for that (flow `product_status`).

P41 is a *safe* effect (`engine/bulk`): the same product twice is the same product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from app import failpoints
from app.domain.ids import EffectId, Scope, Sku
from app.domain.listing import Bearers, Code, Fault, Row
from app.domain.teams import Team
from app.engine.bulk import Bulk, LineError, Progress, hand_back, send
from app.engine.flow import Flow, Pass, Services
from app.engine.patience import patiently
from app.flows.publishing.book import NEEDED, Book, Sold, open_book, renamed, renaming, sold
from app.flows.publishing.plan import Plan, upload
from app.mirakl.catalogue_schema import ProductReference
from app.mirakl.product_files import ProductFile
from app.mirakl.products import REFERENCES_LIMIT
from app.policies.mapping import row_of
from app.policies.product_rules import codes_of, faults_of, shared_codes
from app.store import product_codes, publications
from app.store.marks import Mark
from app.store.outbox import Claim, Verdict, Waiting
from app.store.pool import Connection, Transaction
from app.store.publications import Kind, Standing
from app.wire.outcome import Applied, Outcome, Unknown

PRODUCTS = Kind.PRODUCTS.value
LARGEST_FILE = 5_000
UNREAD_SECONDS = 60.0
DAY_SECONDS = 86_400.0
OUR_SKU = "SHOP_SKU"
"""The role of the attribute that holds our SKU."""
TAKEN = frozenset({"SENT", "COMPLETE"})
FAILED = frozenset({"FAILED", "CANCELLED", "TRANSFORMATION_FAILED"})


async def work(turn: Pass) -> dict[Claim, Verdict]:
    """Map and check the products of the claimed SKUs, and post those that the marketplace does not have."""
    services, scope = turn.services, turn.scope
    async with services.database.work.acquire() as connection:
        book = await open_book(connection, scope)
        found = None if book is None or book.unread & NEEDED else await _plan(turn, connection, book)
    if found is None or book is None:
        await hand_back(turn)
        until = services.clock.after(UNREAD_SECONDS)
        words = "the channel has no map yet" if book is None else "what the marketplace wants is not read yet"
        return {claim: Waiting(until, words) for claim in turn.claims}
    plan, rows, left = found
    await _choose(turn, plan, book, rows, left)
    known = await _known(turn, plan, book)
    plan.withhold(known, Standing.LIVE)
    await plan.write(turn)
    await services.database.mark([Mark(scope, Kind.OFFERS.value, sku) for sku in known])
    if not plan.lines:
        await hand_back(turn)
        return plan.verdicts

    async def post(effect_id: EffectId, spelling: int) -> Outcome[str]:
        return await services.mirakl[scope].p41_import_products(
            file_of(plan.bodies),
            book.delimiter,
            spelling=spelling,
            permit=turn.permit,
            effect_id=str(effect_id),
            usable_until=turn.usable_until,
        )

    return plan.verdicts | await send(turn, BULK, upload(turn, plan, post))


# ------------------------------------------------------------------------------------------------------ deciding


async def _plan(turn: Pass, connection: Connection, book: Book) -> tuple[Plan[Row], dict[Sku, Row], list[Sku]]:
    """The plan with what is held, the rows that may leave, and the SKUs that are not sold."""
    by_key = {claim.key: claim for claim in turn.claims}
    keys = sorted(by_key)
    channel = turn.services.channel(turn.scope)
    told = await publications.read(connection, turn.scope, Kind.PRODUCTS, keys)
    plan = Plan[Row](Kind.PRODUCTS, told, channel.catalogue.products == "dry_run")
    found = await sold(connection, turn.services.source, keys, book.map.language)
    rows: dict[Sku, Row] = {}
    left = [Sku(key) for key in keys if key not in found]
    for key, one in found.items():
        outcome = [renaming(one)] if renamed(one) else described(one, book)
        if outcome is None:
            plan.stands(by_key[key], Standing.GONE, ["it is not sold any more"])
            left.append(Sku(key))
        elif isinstance(outcome, Row):
            rows[outcome.sku] = outcome
        else:
            plan.hold(by_key[key], [str(fault) for fault in outcome])
    return plan, rows, left


async def _choose(turn: Pass, plan: Plan[Row], book: Book, rows: Mapping[Sku, Row], left: Sequence[Sku]) -> None:
    """Of several SKUs with one code the first may leave; where it lets the code go, the others are looked at again.

    What has another fault keeps its codes: the marketplace may have it with them.
    """
    scope, now = turn.scope, turn.services.clock.now()
    by_key = {claim.key: claim for claim in turn.claims}
    borne: dict[Sku, set[Code]] = {sku: set() for sku in left}
    borne |= {sku: codes_of(row, book.attributes(row.hierarchy)) for sku, row in rows.items()}

    async def steps(tx: Transaction) -> Bearers:
        bearers, freed = await product_codes.write(tx.connection, scope, borne, now)
        tx.mark(Mark(scope, PRODUCTS, sku) for sku in freed if sku not in by_key)
        return bearers

    shared = shared_codes(borne, await turn.services.database.transact(steps), now)
    for sku, row in rows.items():
        if sku in shared:
            plan.hold(by_key[sku], [str(shared[sku])])
        else:
            plan.send(by_key[sku], row, row)


def described(one: Sold, book: Book) -> Row | list[Fault] | None:
    """The product in the marketplace's words, or everything that is wrong with it; None when it is not sold."""
    if one.item is None:
        return None
    outcome = row_of(one.item, book.map, book.attributes, book.separator)
    if isinstance(outcome, Fault):
        return [outcome]
    row, faults = outcome
    named = {fault.attribute for fault in faults}
    checked = faults_of(row, book.attributes(row.hierarchy), book.lists, book.separator)
    found = [*faults, *(fault for fault in checked if fault.attribute not in named)]
    return found or row


async def _known(turn: Pass, plan: Plan[Row], book: Book) -> set[Sku]:
    """New products that the marketplace has already: their offers need no product of ours (business rule 10).

    Those that were sent before are not asked about: they may have to change.
    """
    unique = next((one.code for one in book.declared if one.unique_code), None)
    if unique is None:
        return set()
    kind = next(one.unique_code for one in book.declared if one.code == unique) or ""
    asked = {
        row.values[unique]: row.sku
        for row in plan.bodies
        if unique in row.values and ((told := plan.told.get(row.sku)) is None or told.sent is None)
    }
    found: set[Sku] = set()
    codes = sorted(asked)
    for start in range(0, len(codes), REFERENCES_LIMIT):
        references = [ProductReference(kind, code) for code in codes[start : start + REFERENCES_LIMIT]]
        answer = await patiently(
            turn,
            lambda: turn.services.mirakl[turn.scope].p31_find_products(references),  # noqa: B023 - awaited here
        )
        if not isinstance(answer, Applied):
            break  # then they are sent, which does no harm
        found |= {asked[one.product_id] for one in answer.value.items if one.product_id in asked}
    return found


# ------------------------------------------------------------------------------------------------------ sending


def file_of(rows: Sequence[Row]) -> ProductFile:
    """One file of products of several categories: every attribute has its column, empty where it does not apply."""
    columns = tuple(dict.fromkeys(code for row in rows for code in row.values))
    return ProductFile(columns, tuple(tuple(row.values.get(code, "") for code in columns) for row in rows))


def identifier_of(book: Book) -> str:
    """The column that holds our SKU."""
    roles = ((one.code, role.type) for one in book.declared for role in one.roles or ())
    return next((code for code, role in roles if role == OUR_SKU), "")


async def _status(services: Services, scope: Scope, remote_id: str) -> Outcome[Progress]:
    """With the operator is an end for us: the next file may leave, and each product is followed by itself."""
    answer = await services.mirakl[scope].p42_get_product_import(remote_id)
    if not isinstance(answer, Applied):
        return answer
    found = answer.value
    return Applied(
        Progress(
            found.import_status,
            "complete" if found.import_status in TAKEN else "failed" if found.import_status in FAILED else "running",
            has_report=bool(found.has_transformation_error_report),
        )
    )


async def _report(services: Services, scope: Scope, remote_id: str) -> Outcome[list[LineError]]:
    """Products that did not reach the operator."""
    async with services.database.work.acquire() as connection:
        book = await open_book(connection, scope)
    if book is None:
        return Unknown("the channel's map is gone")
    answer = await services.mirakl[scope].p47_get_transformation_errors(remote_id, identifier_of(book), book.delimiter)
    if not isinstance(answer, Applied):
        return answer
    return Applied(
        [
            LineError("; ".join(words.message for words in line.errors), line.identifier)
            for line in answer.value
            if line.errors
        ]
    )


BULK = Bulk(
    kind=PRODUCTS,
    code="P41",
    status_code="P42",
    status=_status,
    report=_report,
    confirm=partial(publications.confirm, kind=Kind.PRODUCTS, state=Standing.WAITING),  # with the operator
    void=partial(publications.push_again, kind=Kind.PRODUCTS),
    points=(failpoints.PUBLISH_SENT, failpoints.PUBLISH_POSTED, failpoints.PUBLISH_STORED),
    lost_seconds=DAY_SECONDS,
)

FLOW = Flow(
    name=PRODUCTS,
    team=Team.ECOMMERCE,
    scoped="channel",
    work=work,
    batch=LARGEST_FILE,
    gate=BULK.gate,
    bulk=BULK,
    gather_seconds=1.0,
    on=lambda settings, scope: PRODUCTS in settings.by_id()[scope].publishes,
    effects=True,
)
