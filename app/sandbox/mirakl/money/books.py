"""The money of this shop on its marketplace: the transaction log, its billing cycles and its accounting documents."""

import dataclasses
from typing import Any

from app.sandbox.mirakl.money.cycles import MoneyCycles
from app.sandbox.mirakl.money.documents import MoneyDocuments
from app.sandbox.mirakl.money.exports import TransactionExports
from app.sandbox.mirakl.money.history import History
from app.sandbox.mirakl.money.lists import TransactionList
from app.sandbox.mirakl.money.log import MoneyLog
from app.sandbox.mirakl.orders import OrderBook


class Money:
    """Follows the order book from its making on."""

    def __init__(self, book: OrderBook) -> None:
        self.book = book
        self.shop = book.shop
        self.log = MoneyLog(book)
        self.documents = MoneyDocuments(book.shop, self.log)
        self.cycles = MoneyCycles(book.shop, self.log, self.documents)
        self.lines = TransactionList(self.log)
        self.exports = TransactionExports(book.shop, self.lines)

    def change_rules(self, members: dict[str, Any]) -> None:
        """TypeError for a rule that there is not."""
        self.shop.money_rules = dataclasses.replace(self.shop.money_rules, **members)
        self.cycles.plan(again=True)

    def put_history(self, history: History) -> None:
        """In place of an earlier one, with its cycles and their invoices."""
        for cycle in self.lines.history.cycles:
            del self.cycles.all[cycle.id]
        self.documents.forget(self.lines.history.cycles)
        self.lines.history = history
        for cycle in history.cycles:
            self.cycles.all[cycle.id] = cycle
            dated: dict[str, Any] = {"cycle": cycle, "created_at": cycle.closed_at}
            self.documents.issue("AUTO_INVOICE", cycle.currency, *cycle.sums.billed, **dated)
