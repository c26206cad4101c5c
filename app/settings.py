"""Settings: channels and policies from `channels.toml`, addresses from the environment, secrets from the environment
or from mounted files only.

A misspelt member of the channel file is an error that names file, place and member; nothing is ignored, and nothing
is taken for something else (`market = true` is no number).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.parity_settings import ParitySettings
from app.policy_settings import (
    HOUR,
    MINUTE,
    AfterSaleSettings,
    CatalogueSettings,
    GuardSettings,
    OrderSettings,
    PriceSettings,
    StockSettings,
    Strict,
)
from app.rating_settings import RatingSettings
from app.settlement_settings import SettlementSettings


class SettingsError(Exception):
    """The configuration is wrong; the message says where and what to do."""


_Address = Annotated[str, Field(pattern=r"^https?://[^/]+")]
_TOKEN_EXPIRES_ON = Field(None, description="the day its key ends, which no platform tells; alerts go by it")


class Privacy(Strict):
    """How long buyer data is kept."""

    keep_days: int = Field(30, ge=1, description="days after an order ended here")


class Channel(Strict):
    """One Mirakl shop on one instance."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    url: _Address = Field(description="https://<instance>.mirakl.net")
    shop_id: int
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    market: int = Field(description="id of the Centra market that sells here")
    profile: Literal["standard", "external_partner"] = "standard"
    token_expires_on: date | None = _TOKEN_EXPIRES_ON
    finance_token_expires_on: date | None = Field(None, description="the same of its second key, where it has one")
    file_hosts: tuple[str, ...] = Field(
        (), strict=False, description="other hosts from which export files may be fetched"
    )
    stock: StockSettings = StockSettings()
    guard: GuardSettings = GuardSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    prices: PriceSettings = PriceSettings()
    orders: OrderSettings = OrderSettings()
    after_sale: AfterSaleSettings = AfterSaleSettings()
    ratings: RatingSettings = RatingSettings()
    settlement: SettlementSettings = SettlementSettings()
    parity: ParitySettings = ParitySettings()

    @model_validator(mode="after")
    def _orders_come_first(self) -> Self:
        if self.after_sale.is_followed and not self.orders.is_read:
            raise ValueError("after_sale needs orders: set orders.mode, or after_sale.mode = 'off'")
        return self

    @model_validator(mode="after")
    def _money_is_of_orders(self) -> Self:
        if self.settlement.on and not self.orders.is_read:
            raise ValueError("settlement needs orders: set orders.mode, or settlement.mode = 'off'")
        return self

    @model_validator(mode="after")
    def _prices_have_a_list(self) -> Self:
        if self.prices.price_list is None and (self.prices.mode != "off" or self.catalogue.offers != "off"):
            raise ValueError("offers and prices need prices.price_list: the price list of Centra bound to the channel")
        return self

    @property
    def publishes(self) -> tuple[str, ...]:
        """The flows of the catalogue that work here."""
        modes = {"products": self.catalogue.products, "offers": self.catalogue.offers, "prices": self.prices.mode}
        return tuple(flow for flow, mode in modes.items() if mode != "off")

    @property
    def secret_name(self) -> str:
        """Where its key is found: this variable, or a file of this name in lower case."""
        return "MIRAKL_KEY_" + self._in_capitals

    @property
    def finance_secret_name(self) -> str:
        """As `secret_name`, of the key for the transaction log; without one the other is used (business rule 22)."""
        return "MIRAKL_FINANCE_KEY_" + self._in_capitals

    @property
    def _in_capitals(self) -> str:
        return self.id.upper().replace("-", "_")


class Centra(Strict):
    """The Centra environment, and how its allowance is used."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")] = "centra"
    url: _Address = Field(description="https://<client>.centra.com, without /graphql")
    token_expires_on: date | None = _TOKEN_EXPIRES_ON
    order_api: _Address | None = Field(None, description="address of the Order API plugin, without /order")
    store: int | None = Field(None, description="id of the store; all when absent")
    sku: Literal["sku", "ean", "upc", "joined"] = Field(
        "sku", description="what Mirakl's offer SKU is at Centra; joined: product, variant and size number"
    )
    share: float = Field(0.7, gt=0, le=0.7, description="share of the rate limits that this service plans with")
    events: bool = Field(True, description="Centra's event system is switched on for this environment")
    event_poll_seconds: float = Field(60, ge=30)
    sweep_seconds: float = Field(1 * HOUR, ge=5 * MINUTE, description="time between two full stock reconciliations")
    catalogue_seconds: float = Field(
        10 * MINUTE, ge=MINUTE, description="time between two looks at products that changed"
    )

    @field_validator("url")
    @classmethod
    def _host_only(cls, url: str) -> str:
        """Centra's own pages give the address with the path; both ways of writing it are meant alike."""
        return url.removesuffix("/").removesuffix("/graphql")


class Channels(Strict):
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
        if self.centra.store is None and any(channel.publishes for channel in self.channel):
            raise ValueError("the catalogue is published as one store presents it; say which: store in [centra]")
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
    port: int = Field(8080, ge=0, le=65_535, description="for webhooks; 0: one that is free")
    metrics_port: int = Field(9090, ge=0, le=65_535, description="for metrics and health; 0: one that is free")
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

    def finance_name(self, channel: Channel) -> str:
        """Which secret holds the key for a channel's transaction log: the second key's where somebody set it.

        A file that is there and empty is set, and wrong: it is not taken for none.
        """
        second = channel.finance_secret_name
        is_set = os.environ.get(second, "").strip() or (self._folder / second.lower()).exists()
        return second if is_set else channel.secret_name

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
