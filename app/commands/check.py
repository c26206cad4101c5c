"""`check`: the configuration against the live platforms, as a table; nothing is changed on either side.

Calls with a daily ceiling are made only when their permit is free; otherwise the mirror is shown with its age.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from app.centra.facts import topology_of
from app.commands.check_after_sale import check_after_sale
from app.commands.check_money import check_money
from app.commands.check_orders import check_orders
from app.commands.context import Exit, Finding, configuration, services_of
from app.commands.status import age
from app.domain.ids import MarketId, Scope
from app.domain.stock import Topology
from app.engine.flow import Services
from app.flows.events import QUEUES
from app.flows.reference import OPEN
from app.mirakl import schema
from app.settings import Channel
from app.store import mirrors
from app.wire.decode import Items
from app.wire.outcome import Applied, NotSent, Outcome, RefusalKind, Refused, Unknown
from app.wire.permit import Permit, PermitWait

T = TypeVar("T")


async def check(console: Console) -> Exit:
    """Print what was found; how the command ends."""
    told = configuration()
    async with services_of(told) as parts:
        with console.status("asking Centra and the marketplaces …"):
            topology, findings = await _centra(parts)
            for channel in told.channels.channel:
                findings += await _channel(parts, channel, topology)
                findings += await check_orders(parts, channel, topology)
                findings += await check_after_sale(parts, channel)
                findings += await check_money(parts, channel, told.secrets.finance_name(channel))
    table = Table("", "where", "what", "found", title="check", title_justify="left")
    marks = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
    for finding in findings:
        table.add_row(marks[finding.ok], finding.scope, finding.subject, finding.words)
    console.print(table)
    if any(f.ok is False and not f.unreachable for f in findings):
        return Exit.FAILED_CHECK
    return Exit.UNREACHABLE if any(f.unreachable for f in findings) else Exit.DONE


def _failed(scope: str, subject: str, outcome: Outcome[object], advice: str) -> Finding:
    match outcome:
        case Refused(reason, _, kind):
            hint = f"; {advice}" if kind is RefusalKind.CREDENTIALS else ""
            return Finding(scope, subject, False, f"{reason}{hint}")
        case NotSent(reason) | Unknown(reason):
            return Finding(scope, subject, False, f"no answer, is the URL right? {reason}", unreachable=True)
        case Applied():
            return Finding(scope, subject, True, "")


# -------------------------------------------------------------------------------------------------------- Centra


async def _centra(parts: Services) -> tuple[Topology | None, list[Finding]]:
    scope = parts.source
    limits = await parts.centra.read_rate_limits(headroom=1.0)
    if not isinstance(limits, Applied):
        return None, [_failed(scope, "token", limits, "make a new API token in AMS > System > API Tokens")]
    left = ", ".join(f"{x.name} {x.remaining} of {x.quota}" for x in limits.value)
    findings = [Finding(scope, "token", True, f"accepted; left: {left}")]
    answer = await parts.centra.read_topology(headroom=1.0)
    if not isinstance(answer, Applied):
        return None, [*findings, _failed(scope, "topology", answer, "give the token the permission it names")]
    topology = topology_of(answer.value)
    words = f"{len(topology.markets)} markets, {len(topology.warehouses)} warehouses"
    findings.append(Finding(scope, "topology", not answer.value.unreadable, words))
    findings.append(await _events(parts))
    return topology, findings


async def _events(parts: Services) -> Finding:
    if not parts.settings.centra.events:
        return Finding(parts.source, "events", None, "off in the channel file: stock comes by webhook and sweep only")
    answer = await parts.centra.list_event_listeners(headroom=1.0)
    if not isinstance(answer, Applied):
        return _failed(parts.source, "events", answer, "Event:read and Event:write are needed")
    wanted = {t for types in QUEUES.values() for t in types}
    missing = sorted(wanted - {listener.object_type for listener in answer.value})
    if missing:
        return Finding(
            parts.source, "events", None, f"no listeners yet for {', '.join(missing)}; the service sets them as it runs"
        )
    return Finding(parts.source, "events", True, "listeners are set")


# -------------------------------------------------------------------------------------------------------- Mirakl


async def _channel(parts: Services, channel: Channel, topology: Topology | None) -> list[Finding]:
    scope, mirakl = Scope(channel.id), parts.mirakl[Scope(channel.id)]
    version = await mirakl.v01_check_version()
    if not isinstance(version, Applied):
        return [_failed(scope, "instance", version, _key_advice(channel))]
    findings = [Finding(scope, "instance", True, channel.url), *_sales(channel, topology)]
    findings += await _shop(parts, channel)
    for code, subject, read, words in (
        ("PC01", "switches", lambda permit: mirakl.pc01_get_configuration(permit=permit), _switches),
        ("SH21", "carriers", lambda permit: mirakl.sh21_list_carriers(permit=permit), _counted),
        ("RE01", "reasons", lambda permit: mirakl.re01_list_reasons(permit=permit), _counted),
        ("OR75", "taxes", lambda permit: mirakl.or75_list_taxes(permit=permit), _counted),
        ("OF61", "conditions", lambda permit: mirakl.of61_list_offer_states(permit=permit), _counted),
        ("AF01", "custom fields", lambda permit: mirakl.af01_list_additional_fields(permit=permit), _counted),
    ):
        findings.append(await _mirrored(parts, scope, f"{subject} ({code})", code, read, words))
    return findings


def _key_advice(channel: Channel) -> str:
    return f"make a new key in the back office and put it into {channel.secret_name}"


def _sales(channel: Channel, topology: Topology | None) -> list[Finding]:
    if topology is None:
        return []
    market = topology.markets.get(MarketId(channel.market))
    if market is None:
        there = ", ".join(f"{m.market_id} {m.name}" for m in topology.markets.values())
        return [Finding(channel.id, "market", False, f"Centra has no market {channel.market}; there are {there}")]
    warehouses = topology.sold_from(market.market_id) or ()
    names = ", ".join(w.name for w in warehouses) or "no DIRECT warehouse: every quantity would be 0"
    return [Finding(channel.id, "market", bool(warehouses), f"{market.name}, sells from {names}")]


async def _shop(parts: Services, channel: Channel) -> list[Finding]:
    scope = Scope(channel.id)
    mirakl = parts.mirakl[scope]
    account = await _fresh_or_mirror(
        parts, scope, "A01", lambda permit: mirakl.a01_get_account(permit=permit), schema.Account
    )
    if isinstance(account, PermitWait):
        return [_not_asked(parts, scope, "key and shop (A01)", account)]
    if not isinstance(account, tuple):
        return [_failed(scope, "key and shop (A01)", account, _key_advice(channel))]
    shop, note = account
    state = shop.shop_state or "unknown"
    words = f"{shop.shop_name or '?'} is {state}" + (f" ({shop.suspension_type})" if shop.suspension_type else "")
    found = [Finding(scope, "key and shop (A01)", state == OPEN, words + note)]
    currency = shop.currency_iso_code
    if currency:
        same = currency == channel.currency
        says = currency if same else f"{currency}, but the channel file says {channel.currency}"
        found.append(Finding(scope, "currency", same, says))
    return found


async def _fresh_or_mirror(
    parts: Services, scope: Scope, code: str, read: Callable[[Permit], Awaitable[Outcome[T]]], kind: type[T]
) -> tuple[T, str] | PermitWait | Outcome[T]:
    """A value and how fresh it is; the mirror where the permit is not free.

    What is read is kept as the service keeps it: a code that may be called once a day must not be read for nothing.
    """
    permit = await parts.mirakl[scope].permit(code)
    async with parts.database.desk.acquire() as connection:
        if isinstance(permit, PermitWait):
            mirror = await mirrors.read_mirror(connection, scope, code, kind)
            return permit if mirror is None else (mirror.value, f" (read {age(parts.clock.now(), mirror.read_at)} ago)")
        answer = await read(permit)
        if not isinstance(answer, Applied):
            return answer
        value = answer.value
        await mirrors.write_mirror(connection, scope, code, value.items if isinstance(value, Items) else value)
        return value, ""


def _not_asked(parts: Services, scope: Scope, subject: str, wait: PermitWait) -> Finding:
    again = age(parts.clock.after(wait.seconds), parts.clock.now())
    return Finding(scope, subject, None, f"not asked: the marketplace allows the next call in {again}")


async def _mirrored(
    parts: Services,
    scope: Scope,
    subject: str,
    code: str,
    read: Callable[[Permit], Awaitable[Outcome[object]]],
    words: Callable[[object], str],
) -> Finding:
    found = await _fresh_or_mirror(parts, scope, code, read, object)
    if isinstance(found, PermitWait):
        return _not_asked(parts, scope, subject, found)
    if isinstance(found, tuple):
        return Finding(scope, subject, True, words(found[0]) + found[1])
    return _failed(scope, subject, found, "the key needs the right to read it")


def _counted(value: object) -> str:
    listed = value.items if isinstance(value, Items) else value
    return f"{len(listed)} listed" if isinstance(listed, list | tuple) else "read"


def _switches(value: object) -> str:
    features = msgspec.convert(msgspec.to_builtins(value), schema.PlatformConfiguration).features
    workflow = features.order_workflows if features else None
    shipment = features.shipment if features else None
    return (
        f"acceptance {workflow.order_acceptance if workflow else '?'},"
        f" multi-shipment {shipment.multi_shipment if shipment else '?'},"
        f" tax mode {features.order_tax_mode if features else '?'}"
    )
