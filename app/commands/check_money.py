"""The part of `check` about money: whether a key may read the transaction log (business rule 22)."""

from __future__ import annotations

from datetime import timedelta

from app.commands.context import Finding
from app.domain.ids import Scope
from app.engine.flow import Services
from app.settings import Channel
from app.wire.outcome import Applied, NotSent, RefusalKind, Refused, Unknown

_SUBJECT = "transaction log (TL02)"
_LOOK_BACK = timedelta(days=30)
_UNKNOWN_KEY = 401


async def check_money(parts: Services, channel: Channel, key: str) -> list[Finding]:
    """One line of the log is asked for. `key`: the secret that holds the key which it is asked with.

    A shop's usual key need not have the role until its money is read, so that is no failure.
    """
    since = parts.clock.now() - _LOOK_BACK
    answer = await parts.mirakl[Scope(channel.id)].tl02_list_transactions(since, limit=1)
    match answer:
        case Applied():
            found = Finding(channel.id, _SUBJECT, True, f"the key in {key} may read it")
        case Refused(reason, status, kind):
            words = _missing(channel, key, status) if kind is RefusalKind.ROLE else reason
            found = Finding(channel.id, _SUBJECT, None if key == channel.secret_name else False, words)
        case NotSent(reason):
            found = Finding(channel.id, _SUBJECT, None, f"not asked: {reason}")
        case Unknown(reason):
            found = Finding(channel.id, _SUBJECT, False, f"no answer: {reason}", unreachable=True)
    return [found]


def _missing(channel: Channel, key: str, status: int) -> str:
    if status == _UNKNOWN_KEY:
        return f"the marketplace does not know the key in {key}: make a new one in the back office"
    if key == channel.secret_name:
        return (
            f"the key in {key} lacks the accountancy role, so money can't be read: give its user the role in the back"
            f" office, or put the key of a user who has it into {channel.finance_secret_name}"
        )
    return f"the key in {key} lacks the accountancy role: give its user the role in the back office"
