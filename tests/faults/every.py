"""Fault tests that run by command only: all of them take longer than CI has."""

import os
from collections.abc import Collection, Iterable

import pytest
from _pytest.mark.structures import ParameterSet

EVERY = os.environ.get("CENTRA_MIRAKL_EVERY_FAULT") == "1"
by_command = pytest.mark.skipif(not EVERY, reason="by command only: CENTRA_MIRAKL_EVERY_FAULT=1")


def in_ci(values: Iterable[str], chosen: Collection[str]) -> list[ParameterSet]:
    """All values as parameters; those not chosen run by command only. Raises ValueError for a choice that is none."""
    every = list(values)
    if unknown := set(chosen) - set(every):
        raise ValueError(f"chosen for CI and not there: {', '.join(sorted(unknown))}")
    return [pytest.param(value, marks=() if value in chosen else by_command) for value in every]
