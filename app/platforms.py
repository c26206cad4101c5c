"""The ways out to the platforms: their addresses, the hosts that links may lead to, and the keys, read at each call."""

from __future__ import annotations

from collections.abc import Callable

from app.centra.order_api import HEADER
from app.clock import Clock
from app.settings import CENTRA_ORDER_API_SECRET, CENTRA_TOKEN, Centra, Channel, Secrets
from app.telemetry import metrics
from app.wire.breaker import Breaker
from app.wire.request import CallSeen, Observer
from app.wire.transport import Transport


def centra(settings: Centra, secrets: Secrets, clock: Clock) -> Transport:
    """Centra's GraphQL. Raises SettingsError, as all of these do, for a key that is missing."""
    secrets.read(CENTRA_TOKEN)  # said now, not at the first call
    return Transport(
        settings.url,
        headers=lambda: {"Authorization": f"Bearer {secrets.read(CENTRA_TOKEN).get_secret_value()}"},
        now=clock.now,
        observer=_observer(settings.id, settings.url),
    )


def order_api(settings: Centra, secrets: Secrets, clock: Clock) -> Transport:
    """Centra's Order API, where it is set."""
    secrets.read(CENTRA_ORDER_API_SECRET)
    assert settings.order_api is not None
    return Transport(
        settings.order_api,
        headers=lambda: {HEADER: secrets.read(CENTRA_ORDER_API_SECRET).get_secret_value()},
        now=clock.now,
        observer=_observer(settings.id, settings.order_api),
    )


def mirakl(channel: Channel, secrets: Secrets, clock: Clock) -> Transport:
    """A shop on its marketplace."""
    return _mirakl(channel, lambda: secrets.read(channel.secret_name).get_secret_value(), clock, Breaker())


def accountancy(channel: Channel, secrets: Secrets, clock: Clock, breaker: Breaker) -> Transport:
    """The same with its key for the transaction log. `breaker`: the shop's, since both call one host."""
    return _mirakl(channel, lambda: secrets.read(secrets.finance_name(channel)).get_secret_value(), clock, breaker)


def _mirakl(channel: Channel, key: Callable[[], str], clock: Clock, breaker: Breaker) -> Transport:
    key()
    return Transport(
        channel.url,
        headers=lambda: {"Authorization": key()},
        now=clock.now,
        allowed_hosts=frozenset(channel.file_hosts),
        breaker=breaker,
        observer=_observer(channel.id, channel.url),
    )


def _observer(scope: str, url: str) -> Observer:
    def observe(seen: CallSeen) -> None:
        metrics.calls.labels(scope, seen.code, seen.outcome).inc()
        metrics.call_seconds.labels(scope, seen.code).observe(seen.seconds)
        if seen.certificate_expires_at is not None:
            metrics.certificate_seen(scope, url, seen.certificate_expires_at)

    return observe
