"""Settings: channels and policies from `channels.toml`, addresses from the environment, secrets from the environment
or from mounted files only.

A misspelt member of the channel file is an error that names file, place and member; nothing is ignored, and nothing
is taken for something else (`market = true` is no number).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

MINUTE = 60.0
HOUR = 3600.0


class SettingsError(Exception):
    """The configuration is wrong; the message says where and what to do."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


_Address = Annotated[str, Field(pattern=r"^https?://[^/]+")]


class StockSettings(_Strict):
    """How a channel publishes stock."""

    on: bool = True
    dry_run: bool = Field(False, description="decide and write down, send nothing")
    buffer: int = Field(0, ge=0, description="units kept back on this channel, besides Centra's own safety stock")
    cap: int = Field(2_147_483_647, ge=0, description="never offer more units than this")
    offset_per_warehouse: bool = Field(False, description="Centra's stock offset counts for each warehouse")
    sell_preorders: bool = False
    full_push_seconds: float = Field(24 * HOUR, ge=10 * MINUTE, description="time between two full pushes")
    read_back_seconds: float = Field(5 * MINUTE, ge=MINUTE, description="time between two differential exports")


class GuardSettings(_Strict):
    """When an unusual change becomes a mass change that waits for a person."""

    least: int = Field(50, ge=0)
    share: float = Field(0.10, ge=0, le=1)
    jump_factor: int = Field(10, ge=1)
    jump_units: int = Field(100, ge=0)


class Destination(_Strict):
    """Where orders to a country enter Centra."""

    country: Annotated[str, Field(pattern=r"^([A-Z]{2}|\*)$", description="ISO alpha-2, or * for every other")]
    market: int = Field(description="id of the Centra market")
    price_list: int
    shipping_option: str = Field(description="URI of Centra's shipping option")
    shipping_by_type: dict[str, str] = Field(
        {}, description="Mirakl's shipping type code to a shipping option of its own"
    )
    allocation_rule: str | None = Field(None, description="name of an allocation rule, when not the market's own")
    tax_included: bool = Field(True, description="the price list's prices contain tax")


class OrderSettings(_Strict):
    """How a channel's orders are taken."""

    mode: Literal["on", "dry_run", "off"] = Field(
        "off", description="on; dry_run: read, decide and watch deadlines, send nothing; off: orders are not read here"
    )
    accept_within_seconds: float = Field(
        24 * HOUR, ge=HOUR, description="the channel's window for accepting, from the order's creation"
    )
    start_at: datetime | None = Field(None, description="orders created before are recorded only")
    pass_seconds: float = Field(MINUTE, ge=MINUTE, description="time between two reads of what changed")
    sweep_seconds: float = Field(30 * MINUTE, ge=5 * MINUTE, description="time between two reads of all open orders")
    look_back_days: int = Field(5, ge=1, le=30, description="how far the daily export looks back")
    short: Literal["refuse", "hold", "accept"] = Field("refuse", description="a line that is short of stock")
    partial: Literal["hold", "refuse", "accept"] = Field(
        "hold", description="when lines differ and the marketplace takes one answer for all of them"
    )
    backorder: Literal["backorder", "cancel", "hold"] = Field(
        "hold", description="an accepted order that Centra has no stock for"
    )
    accepted_elsewhere: Literal["hold", "import"] = Field("hold", description="an order that somebody else accepted")
    price_guard: Decimal | None = Field(
        Decimal("0.5"),
        gt=0,
        le=1,
        description="hold an order that is cheaper than our lowest price by more than this share",
        strict=False,
    )
    price_history_days: int = Field(14, ge=1, le=90)
    destinations: tuple[Destination, ...] = Field((), strict=False)
    payment: int | None = Field(None, description="id of the payment plugin that orders are booked under")
    attribute: str = Field(
        "", description="order attribute of Centra that shows Mirakl's order id, as <attribute>_<element>"
    )
    block: Literal["payment", "hold"] = Field("payment", description="what keeps an order from the warehouse")
    confirm: bool = Field(True, description="confirm orders; false where Centra does so by itself")
    shop_mail: bool = Field(False, description="Centra may send its mails to the marketplace's relay address")
    unallocated_seconds: float = Field(10 * MINUTE, ge=MINUTE, description="when an order without stock is asked about")
    oldest_payment_wait_seconds: float = Field(72 * HOUR, ge=HOUR)
    phone: str = Field("", description="a number to give where a buyer gave none")
    phone_required: tuple[str, ...] = Field((), strict=False, description="countries whose carriers want a number")
    line_length: int = Field(255, ge=20, description="longest address line that the warehouse can print")
    email_domain: str = Field("orders.invalid", description="for orders without a relay address; must not be routable")

    @property
    def is_read(self) -> bool:
        """Whether orders are read and watched at all."""
        return self.mode != "off"

    @property
    def acts(self) -> bool:
        """Whether anything is sent."""
        return self.mode == "on"

    @model_validator(mode="after")
    def _can_be_entered(self) -> Self:
        countries = [d.country for d in self.destinations]
        if len(set(countries)) < len(countries):
            raise ValueError("a country has two destinations; leave one")
        if self.mode == "on" and not self.destinations:
            raise ValueError("orders need a [[channel.orders.destinations]] table: where they enter Centra")
        return self


class Privacy(_Strict):
    """How long buyer data is kept."""

    keep_days: int = Field(30, ge=1, description="days after an order ended here")


class Channel(_Strict):
    """One Mirakl shop on one instance."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    url: _Address = Field(description="https://<instance>.mirakl.net")
    shop_id: int
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    market: int = Field(description="id of the Centra market that sells here")
    profile: Literal["standard", "external_partner"] = "standard"
    file_hosts: tuple[str, ...] = Field(
        (), strict=False, description="other hosts from which export files may be fetched"
    )
    stock: StockSettings = StockSettings()
    guard: GuardSettings = GuardSettings()
    orders: OrderSettings = OrderSettings()

    @property
    def secret_name(self) -> str:
        """Where its key is found: this variable, or a file of this name in lower case."""
        return "MIRAKL_KEY_" + self.id.upper().replace("-", "_")


class Centra(_Strict):
    """The Centra environment, and how its allowance is used."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")] = "centra"
    url: _Address = Field(description="https://<client>.centra.com, without /graphql")
    order_api: _Address | None = Field(None, description="address of the Order API plugin, without /order")
    store: int | None = Field(None, description="id of the store; all when absent")
    sku: Literal["sku", "ean", "upc", "joined"] = Field(
        "sku", description="what Mirakl's offer SKU is at Centra; joined: product, variant and size number"
    )
    share: float = Field(0.7, gt=0, le=0.7, description="share of the rate limits that this service plans with")
    events: bool = Field(True, description="Centra's event system is switched on for this environment")
    event_poll_seconds: float = Field(60, ge=30)
    sweep_seconds: float = Field(1 * HOUR, ge=5 * MINUTE, description="time between two full stock reconciliations")

    @field_validator("url")
    @classmethod
    def _host_only(cls, url: str) -> str:
        """Centra's own pages give the address with the path; both ways of writing it are meant alike."""
        return url.removesuffix("/").removesuffix("/graphql")


class Channels(_Strict):
    """The whole of channels.toml."""

    centra: Centra
    privacy: Privacy = Privacy()
    channel: tuple[Channel, ...] = Field(strict=False)  # TOML has arrays, not tuples

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if not self.channel:
            raise ValueError("there is no channel; write a [[channel]] table for each Mirakl shop")
        ids = [self.centra.id, *(channel.id for channel in self.channel)]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"the id {', '.join(twice)} is used twice; each channel and the source need their own")
        if self.centra.order_api is None and any(channel.orders.acts for channel in self.channel):
            raise ValueError("orders enter Centra by its Order API; say where it is: order_api in [centra]")
        return self

    def by_id(self) -> Mapping[str, Channel]:
        """The channels by their id."""
        return {channel.id: channel for channel in self.channel}


class Process(BaseSettings):
    """What the environment says about this process."""

    model_config = SettingsConfigDict(env_prefix="CENTRA_MIRAKL_", extra="ignore", frozen=True)

    database_url: SecretStr = Field(
        SecretStr(""), validation_alias=AliasChoices("DATABASE_URL", "CENTRA_MIRAKL_DATABASE_URL")
    )
    channels_file: Path = Path("channels.toml")
    secrets_folder: Path = Path("/run/secrets/centra-mirakl")
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65_535)
    log_format: Literal["json", "console"] = "json"
    drain_seconds: float = Field(25, ge=0)
    trace_endpoint: str = ""


def load_channels(path: Path) -> Channels:
    """Read channels.toml. Raises SettingsError that names the file, the place and what is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"there is no channel file {path}: write one, or set CENTRA_MIRAKL_CHANNELS_FILE to where it is"
        ) from None
    except OSError as exc:
        raise SettingsError(f"{path} can't be read: {exc.strerror}; make it a file that this process may read") from exc
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise SettingsError(f"{path} is not TOML: {exc}; correct it there") from exc
    try:
        return Channels.model_validate(document)
    except ValidationError as exc:
        lines = [
            f"{path}: {_place(error['loc'], document)}: {_words(error['type'], error['msg'], error['input'])}"
            for error in exc.errors()
        ]
        raise SettingsError("\n".join(lines)) from None


def load_process() -> Process:
    """Read the environment. Raises SettingsError that names each variable that is wrong, never what it holds."""
    try:
        return Process()
    except ValidationError as exc:
        prefix = str(Process.model_config.get("env_prefix", ""))
        lines = [
            f"the variable {prefix}{'_'.join(map(str, error['loc'])).upper()} is wrong: {error['msg']}; set it anew"
            for error in exc.errors()
        ]
        raise SettingsError("\n".join(lines)) from None


def _place(location: tuple[int | str, ...], document: Mapping[str, object]) -> str:
    """A place as a person says it: `channel demo-fr, stock.bufer`."""
    match location:
        case ("channel", int(index), *rest):
            return ", ".join((f"channel {_channel_name(document, index)}", *_dotted(rest)))
        case _:
            return "".join(_dotted(location)) or "the whole file"


def _dotted(location: Iterable[int | str]) -> list[str]:
    text = ".".join(str(step) for step in location)
    return [text] if text else []


def _channel_name(document: Mapping[str, object], index: int) -> str:
    channels = document.get("channel")
    channel = channels[index] if isinstance(channels, list) else None
    name = channel.get("id") if isinstance(channel, dict) else None
    return name if isinstance(name, str) else f"number {index + 1}"


def _words(kind: str, message: str, found: object) -> str:
    match kind:
        case "extra_forbidden":
            return "there is no such member; check its spelling"
        case "missing":
            return "this member is needed; add it"
        case "tuple_type":
            return "this must be a list: [...] of values, or [[...]] before each table"
        case "model_type":
            return "this must be a table: write its members under a heading in [...]"
        case "value_error":  # a validator of ours, which speaks for itself
            return message.removeprefix("Value error, ")
        case _:
            shown = "" if isinstance(found, dict | list) else f", found {found!r:.80}"
            return f"{message}{shown}; correct it"


class Secrets:
    """Secrets by name: the environment, else a file of that name in lower case, read again when it changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> SecretStr:
        """The secret. Raises SettingsError that says where it was looked for."""
        value = os.environ.get(name, "").strip()
        if not value:
            try:
                value = (self._folder / name.lower()).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                value = ""
        if not value:
            raise SettingsError(
                f"the secret {name} is missing, empty or unreadable: set the variable, or mount the file"
                f" {self._folder / name.lower()}"
            )
        return SecretStr(value)

    def read_several(self, name: str) -> tuple[SecretStr, ...]:
        """Several secrets that are valid at once, separated by commas or blanks; empty when there is none."""
        try:
            text = self.read(name).get_secret_value()
        except SettingsError:
            return ()
        return tuple(SecretStr(part) for part in text.replace(",", " ").split())


CENTRA_TOKEN = "CENTRA_TOKEN"  # noqa: S105 - the name of a variable
CENTRA_WEBHOOK_SECRETS = "CENTRA_WEBHOOK_SECRETS"
CENTRA_ORDER_API_SECRET = "CENTRA_ORDER_API_SECRET"  # noqa: S105 - the name of a variable
PRIVACY_KEY = "PRIVACY_KEY"
"""Keys the hash by which buyers' addresses are found; any long random text that stays the same."""
