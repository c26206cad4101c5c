"""How the operator charges and pays this shop; no seller can read these settings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MoneyRules:
    """Seconds of app time; null: never by the clock. Amounts are numbers of the shop's currency, without tax.

    `commission_percent` of an order line's price and shipping in the order's own tax mode, for orders from now on; a
    line may have its own. `commission_vat_percent`: the tax on whatever the operator charges.

    `taxes_apart`: taxes have lines of their own for orders of TAX_INCLUDED too. The platform does not say how its log
    treats that mode; so by default the amounts contain the taxes, as OR11's do [QA].
    `operator_remits_taxes`: the operator pays the orders' taxes to the authorities, and takes them back from the shop
    by lines of their own [QA].

    `payable_state`: from this state of its order on a line can be paid out. Cycles end at whole multiples of
    `cycle_seconds`, and are paid `payout_seconds` later. Each is charged `subscription`. `reserve_percent` of each
    pay-out is held until the next.
    """

    commission_percent: float = 15.0
    commission_vat_percent: float = 25.0
    taxes_apart: bool = False
    operator_remits_taxes: bool = False
    payable_state: str = "RECEIVED"
    cycle_seconds: float | None = 10 * 86_400.0
    payout_seconds: float | None = 86_400.0
    subscription: float = 0.0
    reserve_percent: float = 0.0
