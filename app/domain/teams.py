"""Who owns held work."""

from __future__ import annotations

from enum import StrEnum


class Team(StrEnum):
    OPERATIONS = "operations"
    ECOMMERCE = "ecommerce"
    FINANCE = "finance"
    WAREHOUSE = "warehouse"
    CUSTOMER_SERVICE = "customer service"
    PLATFORM = "platform"
