"""Reading an STO01 file: strict CSV with `;`, doubled quotes, UTF-8."""

from dataclasses import dataclass

from app.sandbox.mirakl.answers import Refused
from app.sandbox.mirakl.tables import read_table

_REQUIRED = ("offer-sku", "quantity")
_COLUMNS = (*_REQUIRED, "warehouse-code", "update-delete")
_LARGEST_QUANTITY = 2_147_483_647
_LONGEST_WAREHOUSE_CODE = 255


@dataclass(frozen=True, slots=True)
class StockLine:
    """One row. `number` counts the header, so the first row is 2; `fault` is why it can never be applied."""

    number: int
    cells: tuple[str, ...]
    sku: str = ""
    quantity: int = 0
    warehouse: str = ""
    delete: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class StockFile:
    columns: tuple[str, ...]
    lines: tuple[StockLine, ...]


def read_stock_file(content: bytes) -> StockFile:
    """Raises Refused (400) when the file as a whole is unreadable; a bad row is a line with its fault."""
    rows = read_table(content, ";")
    columns = tuple(rows[0])
    _check_header(columns)
    places = {name: position for position, name in enumerate(columns)}
    numbered = enumerate(rows[1:], start=2)
    return StockFile(columns, tuple(_line(number, row, places) for number, row in numbered if row))


def _check_header(columns: tuple[str, ...]) -> None:
    unknown = [name for name in columns if name not in _COLUMNS]
    missing = [name for name in _REQUIRED if name not in columns]
    if unknown or missing or len(set(columns)) != len(columns):
        raise Refused(400, f"Invalid header: unknown columns {unknown}, missing columns {missing}")


def _line(number: int, row: list[str], places: dict[str, int]) -> StockLine:
    cells = tuple(row)
    if len(row) != len(places):
        return StockLine(number, cells, fault="Wrong number of columns")
    sku, amount = row[places["offer-sku"]], row[places["quantity"]]
    warehouse = row[places["warehouse-code"]] if "warehouse-code" in places else ""
    action = row[places["update-delete"]] if "update-delete" in places else ""
    delete = action.lower() == "delete"
    # What int() would also take (signs, blanks, underscores, other digits) is no quantity here.
    whole = amount.isascii() and amount.isdigit() and len(amount) <= 12
    quantity = int(amount) if whole else 0
    fault: str | None = None
    if not sku:
        fault = "The offer SKU is missing"
    elif action.lower() not in ("", "update", "delete"):
        fault = "Unknown value in update-delete"
    elif delete and not warehouse:
        fault = "Only the stock of a warehouse can be deleted"
    elif len(warehouse) > _LONGEST_WAREHOUSE_CODE:
        fault = "The warehouse code is too long"
    elif not delete and (not whole or quantity > _LARGEST_QUANTITY):
        fault = "Invalid quantity"
    return StockLine(number, cells, sku, quantity, warehouse, delete, fault)
