"""What an operator asks of its sellers on a channel: the tables [channel.ratings] and [channel.ratings.levels].

Operators publish their limits in seller guides, and no call tells them: they are written down here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.domain.ratings import Levels, Measure
from app.policy_settings import Strict

Period = Literal["LAST_MONTH", "LAST_THREE_MONTHS", "LAST_SIX_MONTHS", "LAST_YEAR", "ALL_SINCE_BEGINNING"]
"""The periods of A21."""


class LevelSettings(Strict):
    """One measure: its levels in its own unit, and over what time the operator rates it where that differs."""

    warning: Decimal | None = Field(None, ge=0, strict=False, description="a ticket is written once it is reached")
    limit: Decimal | None = Field(None, ge=0, strict=False, description="somebody is paged once it is passed")
    window_days: int | None = Field(None, ge=1, le=400)
    period: Period | None = None

    @property
    def levels(self) -> Levels:
        return Levels(self.warning, self.limit)


class RatingSettings(Strict):
    """How a channel's seller ratings are read and watched."""

    on: bool = Field(True, description="read what the marketplace says daily, and count our own hourly")
    window_days: int = Field(30, ge=1, le=400, description="our own figures count orders created in so many days")
    period: Period = Field("LAST_MONTH", description="the marketplace's figures that stand beside them")
    least_orders: int = Field(0, ge=0, description="the operator rates from so many orders on")
    rates: Literal["percent", "share"] = Field("percent", description="how this marketplace tells rates: 97.5 or 0.975")
    levels: Mapping[Annotated[Measure, Field(strict=False)], LevelSettings] = Field(
        {}, strict=False, description="by measure"
    )

    @model_validator(mode="after")
    def _warning_comes_first(self) -> Self:
        for measure, told in self.levels.items():
            if told.warning is None or told.limit is None:
                continue
            if (told.warning < told.limit) if measure.falls else (told.warning > told.limit):
                side = "above" if measure.falls else "below"
                raise ValueError(f"the warning of {measure} is never given: put it {side} the limit, or at it")
        return self

    def of(self, measure: Measure) -> LevelSettings:
        """What is set for a measure; nothing where it is not named."""
        return self.levels.get(measure, _NOTHING)

    def window(self, measure: Measure) -> timedelta:
        """Over what time we count it."""
        return timedelta(days=self.of(measure).window_days or self.window_days)


_NOTHING = LevelSettings()
