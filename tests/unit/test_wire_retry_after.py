"""Retry-After in every form, and nonsense."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.retry_after import DAILY_CAP_SECONDS, retry_after_seconds

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
UNIX = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 41 ", 41.0),
        ("0.5", 0.5),
        (str(UNIX + 90), 90.0),
        (str((UNIX + 90) * 1000), 90.0),
        ("Mon, 02 Mar 2026 08:01:30 GMT", 90.0),
        ("2026-03-02T08:01:30Z", 90.0),
        ("2026-03-02T09:01:30+01:00", 90.0),
        ("2026-03-02T08:01:30", 90.0),
        # Nonsense falls back, what is too far is capped.
        (None, 60.0),
        ("", 60.0),
        ("0", 60.0),
        ("-1", 60.0),
        ("nan", 60.0),
        ("inf", 60.0),
        ("soon", 60.0),
        (str(UNIX - 1), 60.0),
        ("Mon, 02 Mar 2026 07:59:59 GMT", 60.0),
        ("Mon, 02 Mar 2036 08:00:00 GMT", 3600.0),
        ("315360000", 3600.0),
        ("3601", 3600.0),
        ("9" * 300, 3600.0),
    ],
)
def test_forms(header: str | None, seconds: float) -> None:
    assert retry_after_seconds(header, NOW, fallback_seconds=60.0) == pytest.approx(seconds)


def test_a_daily_code_is_believed_for_longer() -> None:
    tomorrow = int((NOW + timedelta(hours=23)).timestamp())
    assert retry_after_seconds(
        str(tomorrow), NOW, fallback_seconds=60.0, cap_seconds=DAILY_CAP_SECONDS
    ) == pytest.approx(23 * 3600)


@given(st.text(max_size=60))
def test_any_header_gives_a_wait_within_bounds(header: str) -> None:
    assert 0 < retry_after_seconds(header, NOW, fallback_seconds=60.0) <= 3600
