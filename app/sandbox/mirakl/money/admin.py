"""The /_sandbox routes for money. Amounts are numbers, of the shop's currency unless it is said.

GET  /_sandbox/money -> {"types": {type: {state: {"lines", "amount"}}}, "open": lines in no cycle, "history": lines,
    "rules": {...}}; the history is not in the types
POST /_sandbox/money/rules {members of MoneyRules} -> {"rules"}; from now on
POST /_sandbox/money/lines {"type" (any), "amount" (signed), "tax" 0 (signed; a second line of the type's own tax, _VAT
    or _TAX), "state" PAYABLE, "currency", "order_id", "order_line_id", "refund_id", "description"} -> {"ids"}; a
    penalty (SELLER_PENALTY_FEE), a fee on an order, a type that nobody knows, an order that nobody has. With a
    description it is a one-off item
POST /_sandbox/money/documents {"type" MANUAL_CREDIT | MANUAL_INVOICE, "amount", "tax" 0, "description", "order_id"}
    -> {"invoice_id", "number"}; both amounts above 0
POST /_sandbox/money/commission {"order_line_id", "percent"} -> {"ids"}; of the lines that correct what was charged
POST /_sandbox/money/cycles {"close": true} -> {"cycles": [ids]}; now
POST /_sandbox/money/cycles {"next": {"off_cents" 0, "fail": INCOMPLETE_KYC | AWAITING_INVOICE_CHECK}} -> {"cycles"};
    for the next cycle that is closed
GET  /_sandbox/money/cycles -> {"cycles": {id: {"currency", "state", "lines", "total", "paid" (cents), "reference"}}}
POST /_sandbox/money/pay-outs {"id": cycle (those TO_PAY), "fail": reason (paid without)} -> {"cycles": [ids]}
POST /_sandbox/money/history {"lines", "cycles" 12, "cycle_seconds" 864000, "seed" 1, "prefix" OLD} -> {"lines",
    "cycles", "orders"}; about so many lines, in place of an earlier one, all paid before now
GET  /_sandbox/money/history?first=0&count=1000 -> {"orders": [...]}; what its lines are of

The ledger gets PLANTED for each of the lines, documents, corrections and next pay-outs, with `what` and what it is.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.sandbox.admin import Endpoint, json_object, refusing_nonsense
from app.sandbox.mirakl.lines import cents
from app.sandbox.mirakl.money.books import Money
from app.sandbox.mirakl.money.cycles import FAILURES
from app.sandbox.mirakl.money.history import LINES_A_BLOCK, History, public
from app.sandbox.mirakl.money.rows import STATES, Row, Sale

_CYCLES = 12


def money_admin_routes(money: Money) -> list[Route]:
    posts: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "rules": lambda members: _post_rules(money, members),
        "lines": lambda members: _post_lines(money, members),
        "documents": lambda members: _post_document(money, members),
        "commission": lambda members: _post_commission(money, members),
        "cycles": lambda members: _post_cycles(money, members),
        "pay-outs": lambda members: _post_pay_outs(money, members),
        "history": lambda members: _post_history(money, members),
    }
    gets: dict[str, Callable[[Request], dict[str, Any]]] = {
        "": lambda _: _public(money),
        "/cycles": lambda _: {
            "cycles": {cycle.id: _public_cycle(money, cycle.id) for cycle in money.cycles.all.values()}
        },
        "/history": lambda request: _public_history(money, request),
    }

    def posted(post: Callable[[dict[str, Any]], dict[str, Any]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return JSONResponse(post(await json_object(request)))

        return refusing_nonsense(endpoint)

    def got(get: Callable[[Request], dict[str, Any]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return JSONResponse(get(request))

        return refusing_nonsense(endpoint)

    return [
        *(Route(f"/_sandbox/money/{name}", posted(post), methods=["POST"]) for name, post in posts.items()),
        *(Route(f"/_sandbox/money{path}", got(get), methods=["GET"]) for path, get in gets.items()),
    ]


def _post_rules(money: Money, members: dict[str, Any]) -> dict[str, Any]:
    money.change_rules(members)
    return {"rules": asdict(money.shop.money_rules)}


def _post_lines(money: Money, members: dict[str, Any]) -> dict[str, Any]:
    type_, amount, tax = str(members["type"]), cents(members["amount"]), cents(members.get("tax", 0))
    state = members.get("state", "PAYABLE")
    if state not in STATES:
        raise ValueError(f"state is one of {', '.join(STATES)}")
    facts: dict[str, Any] = {"line_id": members.get("order_line_id"), "refund_id": members.get("refund_id")}
    if "order_id" in members:
        facts["sale"] = _sale(money, str(members["order_id"]))
    if "description" in members:
        facts["one_off"] = _one_off(str(members["description"]), amount)
    currency = str(members.get("currency", money.shop.currency))
    rows = [money.log.write(type_, amount, currency, state=state, **facts)]
    if tax:
        rate = money.shop.money_rules.commission_vat_percent
        rows.append(money.log.write(_tax_type(type_), tax, currency, state=state, shop_tax=rate, **facts))
    money.log.on_change()
    ids = [row.id for row in rows]
    named = {"order_id": members.get("order_id"), "amount": amount, "tax": tax}
    _record(money, "lines", type=type_, ids=ids, **named)
    return {"ids": ids}


def _sale(money: Money, order_id: str) -> Any:
    """The order, or what a line says of one that nobody has."""
    return money.book.orders.get(order_id) or Sale(order_id, order_id.removesuffix("-A"), money.log.now())


def _one_off(description: str, amount: int) -> dict[str, Any]:
    return {
        "description": description,
        "operation_date": None,
        "quantity": 1,
        "references": [{"type": "OTHER", "value": description}],
        "unit_price": abs(amount) / 100,
    }


def _tax_type(type_: str) -> str:
    """As the platform calls the tax on it."""
    if type_.endswith(("COMMISSION_FEE", "SUBSCRIPTION_FEE")):
        return f"{type_.removesuffix('_FEE')}_VAT"
    return f"{type_}_VAT" if type_.startswith("MANUAL_") else f"{type_}_TAX"


def _post_document(money: Money, members: dict[str, Any]) -> dict[str, Any]:
    amount, tax = cents(members["amount"]), cents(members.get("tax", 0))
    document = money.documents.bill(
        str(members["type"]), amount, tax, str(members.get("description", "")), members.get("order_id")
    )
    _record(money, "document", type=document.type, number=document.number, amount=amount, tax=tax)
    return {"invoice_id": document.invoice_id, "number": document.number}


def _post_commission(money: Money, members: dict[str, Any]) -> dict[str, Any]:
    order, line = money.book.lines[str(members["order_line_id"])]
    rows: list[Row] = money.log.correct_commission(line, order, Decimal(str(members["percent"])))
    ids = [row.id for row in rows]
    facts = {"order_id": order.order_id, "order_line_id": line.line_id, "percent": float(line.commission_percent)}
    _record(money, "commission", ids=ids, amount=sum(row.amount for row in rows), **facts)
    return {"ids": ids}


def _post_cycles(money: Money, members: dict[str, Any]) -> dict[str, Any]:
    if "next" in members:
        planted = dict(members["next"])
        if planted.keys() - {"off_cents", "fail"} or planted.get("fail") not in (None, *FAILURES):
            raise ValueError(f"a pay-out is off_cents off, or fails by {' or '.join(FAILURES)}")
        money.cycles.planted.append(planted)
        _record(money, "pay-out", **planted)
    return {"cycles": [cycle.id for cycle in money.cycles.close()] if members.get("close") else []}


def _post_pay_outs(money: Money, members: dict[str, Any]) -> dict[str, Any]:
    wanted, reason = members.get("id"), members.get("fail")
    known = money.cycles.all.values()
    chosen = [cycle for cycle in known if (cycle.state == "TO_PAY" if wanted is None else cycle.id == wanted)]
    if wanted is not None and not chosen:
        raise ValueError(f"there is no cycle {wanted}")
    for cycle in chosen:
        if reason is None:
            money.cycles.pay(cycle)
        else:
            money.cycles.fail(cycle, str(reason))
    return {"cycles": [cycle.id for cycle in chosen]}


def _post_history(money: Money, members: dict[str, Any]) -> dict[str, Any]:
    cycles, clock = int(members.get("cycles", _CYCLES)), money.shop.kernel.clock
    if cycles < 1:
        raise ValueError("a history has at least one cycle")
    history = History(
        cycles=cycles,
        blocks=max(1, int(members["lines"]) // (cycles * LINES_A_BLOCK)),
        until=clock.timestamp(),
        cycle_seconds=float(members.get("cycle_seconds", 10 * 86_400)),
        seed=int(members.get("seed", 1)),
        currency=money.shop.currency,
        prefix=str(members.get("prefix", "OLD")),
    )
    money.put_history(history)
    return {"lines": history.lines, "cycles": cycles, "orders": history.orders}


def _public(money: Money) -> dict[str, Any]:
    types: dict[str, dict[str, Counter[str]]] = {}
    for row in money.log.rows.values():
        counted = types.setdefault(row.type, {}).setdefault(row.state, Counter())
        counted["lines"] += 1
        counted["cents"] += row.amount
    shown = {
        type_: {state: {"lines": n["lines"], "amount": n["cents"] / 100} for state, n in states.items()}
        for type_, states in types.items()
    }
    rules = asdict(money.shop.money_rules)
    return {"types": shown, "open": len(money.log.open), "history": money.lines.history.lines, "rules": rules}


def _public_cycle(money: Money, cycle_id: str) -> dict[str, Any]:
    cycle = money.cycles.all[cycle_id]
    return {
        "currency": cycle.currency,
        "state": cycle.state,
        "lines": len(cycle.rows),
        "total": cycle.sums.total,
        "paid": cycle.paid,
        "reference": cycle.reference,
    }


def _public_history(money: Money, request: Request) -> dict[str, Any]:
    first, count = (int(request.query_params.get(name, default)) for name, default in (("first", 0), ("count", 1_000)))
    lives = money.lines.history.lives(first, count)
    return {"orders": [public(life, money.shop.currency) for life in lives]}


def _record(money: Money, what: str, **facts: Any) -> None:
    money.shop.kernel.ledger.record("PLANTED", what=what, **facts)
