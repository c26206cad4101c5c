"""How both ends of a channel are compared: the table [channel.parity]."""

from __future__ import annotations

from pydantic import Field

from app.policy_settings import HOUR, Strict


class ParitySettings(Strict):
    """How both ends of a channel are compared."""

    on: bool = True
    every_seconds: float = Field(24 * HOUR, ge=HOUR, description="time between two comparisons")
    days: int = Field(60, ge=1, le=400, description="orders made so long ago, and all that are open, are compared")
    on_its_way_seconds: float = Field(HOUR, ge=60, description="for so long what is on its way is no difference")
    tries: int = Field(3, ge=0, le=100, description="how often a difference is mended before a person is asked")
