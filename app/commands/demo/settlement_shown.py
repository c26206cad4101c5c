"""What the act of the settlement shows: cycles, what was planted and found, the journal, and one line at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.demo.report import Report
from app.commands.demo.settlement_cast import ACCOUNTS, CLEARING
from app.commands.demo.settlement_judge import CycleRow, Judged, Standing, cycle_rows, given_back_across, signed
from app.commands.lab import Json
from app.store.settlement import Noted

# --------------------------------------------------------------------------------------------------- as figures


def in_figures(judged: Judged, period: str) -> dict[str, Json]:
    """One channel, for the report. Amounts are numbers of its currency; a plus is money for the shop."""
    journal = judged.journal
    kinds: dict[str, list[Json]] = {}
    for wanted, noted in judged.paired.pairs:
        if noted is not None:
            kinds.setdefault(noted.kind.value, []).append({"planted": wanted.words, **_difference(noted)})
    for noted in judged.paired.besides:
        kinds.setdefault(noted.kind.value, []).append({"planted": None, **_difference(noted)})
    return {
        "period": period,
        "cycles": [_cycle(row) for row in cycle_rows(judged.money)],
        "lines": len(judged.money.ours.lines),
        **{standing.value: judged.counts[standing] for standing in Standing},
        "differences": {**kinds},
        "journal": {
            "debit": journal.debit / 100,
            "credit": journal.credit / 100,
            "balances": {number: account.balance / 100 for number, account in sorted(journal.accounts.items())},
        },
    }


def _cycle(row: CycleRow) -> dict[str, Json]:
    amounts = ("orders", "refunds", "fees", "total", "bank", "apart")
    shown: dict[str, Json] = {name: getattr(row, name) / 100 for name in amounts}
    return {"cycle": row.cycle_id, "closed_at": row.closed_at.isoformat(), "lines": row.lines, **shown}


def _difference(noted: Noted) -> dict[str, Json]:
    return {
        "item": f"d{noted.number}",
        "state": noted.state.value,
        "expected": None if noted.expected is None else noted.expected / 100,
        "told": None if noted.told is None else noted.told / 100,
        "words": noted.words,
        "note": noted.note,
        "decided_by": noted.decided_by,
    }


# --------------------------------------------------------------------------------------------------- for people


def show_settlement(console: Console, judged: Sequence[Judged], found: Report, period: str) -> None:
    """The tables of the act."""
    console.print(_cycles(judged))
    _show_across(console, judged)
    console.print(_differences(judged))
    console.print()
    console.print(_journal(judged, period))
    for words in found.faults:
        console.print(words, style="red", markup=False)
    _show_end(console, judged, found, period)


def _cycles(judged: Sequence[Judged]) -> Table:
    table = Table(title="billing cycles: what their lines come to, and what the bank got", title_justify="left")
    table.add_column("cycle closed", no_wrap=True)
    for name in ("lines", "orders", "refunds", "fees", "to pay", "bank", "apart"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in judged:
        for row in cycle_rows(one.money):
            amounts = [signed(amount) for amount in (row.orders, row.refunds, row.fees, row.total, row.bank)]
            apart = f"[yellow]{signed(row.apart)}[/]" if row.apart else ""
            table.add_row(f"{row.channel} {row.closed_at:%m-%d}", str(row.lines), *amounts, apart)
        table.add_section()
    return table


def _show_across(console: Console, judged: Sequence[Judged]) -> None:
    for one in judged:
        for order_id in given_back_across(one.money):
            console.print(f"{order_id} on {one.channel} was paid in the first cycle and given back in the second")
    console.print()


def _differences(judged: Sequence[Judged]) -> Table:
    table = Table(title="what was planted, and where it was found", title_justify="left")
    table.add_column("planted", max_width=17)
    table.add_column("found", overflow="fold")
    for name in ("expected", "told"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in judged:
        cycles = {row.cycle_id: f"cycle {row.closed_at:%m-%d}" for row in cycle_rows(one.money)}
        for wanted, noted in one.paired.pairs:
            if noted is None:
                table.add_row(wanted.words, f"[red]{one.channel}: not found[/]", "", "")
            else:
                table.add_row(wanted.words, _found(noted, cycles), *_figures(noted))
        for noted in one.paired.besides:
            table.add_row("[red]by nobody[/]", _found(noted, cycles), *_figures(noted))
    return table


def _found(noted: Noted, cycles: Mapping[str, str]) -> str:
    place = ", ".join(part for part in (noted.scope, cycles.get(noted.cycle or "", ""), noted.kind.value) if part)
    words = noted.words
    for cycle_id, name in cycles.items():
        words = words.replace(f"cycle {cycle_id}", name)
    said = (
        ""
        if noted.note is None
        else f"\n[green]{noted.state.value}[/] by {escape(f'{noted.decided_by}: {noted.note}')}"
    )
    return f"d{noted.number}, {place}\n[dim]{escape(words)}[/]{said}"


def _figures(noted: Noted) -> tuple[str, str]:
    wanted, told = ("" if amount is None else signed(amount) for amount in (noted.expected, noted.told))
    return wanted, told


def _journal(judged: Sequence[Judged], period: str) -> Table:
    table = Table("account", "", title=f"the journal of {period}: balances, debit above 0", title_justify="left")
    for one in judged:
        table.add_column(one.channel, justify="right", no_wrap=True)
    for number in sorted({number for one in judged for number in one.journal.accounts}):
        balances = [signed(one.journal.accounts[number].balance) for one in judged]
        table.add_row(number, ACCOUNTS.get(number, "?"), *balances)
    table.add_section()
    table.add_row("", "all of it", *(signed(one.journal.debit - one.journal.credit) for one in judged))
    return table


def _show_end(console: Console, judged: Sequence[Judged], found: Report, period: str) -> None:
    lines = sum(len(one.money.ours.lines) for one in judged)
    matched, explained = (sum(one.counts[standing] for one in judged) for standing in Standing)
    balance = sum(one.journal.debit - one.journal.credit for one in judged)
    owed = sum(one.journal.accounts[CLEARING].balance for one in judged)
    console.print(
        f"{lines} lines of the log: {matched} matched with the other side, {explained} explained\n"
        f"the journal of {period} balances to {signed(balance)}, {signed(owed)} is still owed to the shop\n"
    )
    pairs = [noted for one in judged for _, noted in one.paired.pairs]
    besides = sum(len(one.paired.besides) for one in judged)
    colour = "green" if found.good else "red"
    console.print(
        f"[bold {colour}]{len(pairs) - pairs.count(None)} of {len(pairs)} planted differences found, {besides} others;"
        f" {found.differences} differences of stock, {len(found.faults)} faults, {found.ceilings_exceeded} calls over a"
        f" ceiling[/], in {found.real_seconds} s"
    )
