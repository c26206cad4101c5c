"""The judge of stale figures is itself judged."""

from __future__ import annotations

import pytest

from tests.faults.deployment import went_back

HISTORY = {"A": [(0.0, 5), (1.0, 4), (2.0, 5), (3.0, 2)]}


@pytest.mark.parametrize(
    ("figures", "is_stale"),
    [
        ([5, 4, 5, 2], False),
        ([5, 5, 2, 2], False),  # repeats, and versions that were passed over
        ([4, 5], False),  # the 5 of the third version
        ([2, 5], True),
        ([4, 5, 4], True),
        ([3], True),  # was never said
    ],
)
def test_an_older_figure_after_a_newer_one(figures: list[int], is_stale: bool) -> None:
    applied = [{"sku": "A", "quantity": quantity, "at_real": 9.0} for quantity in figures]
    assert bool(went_back(applied, HISTORY)) is is_stale


def test_a_figure_before_its_time() -> None:
    assert went_back([{"sku": "A", "quantity": 2, "at_real": 2.5}], HISTORY)
