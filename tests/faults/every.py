"""Fault tests that run by command only: all of them take longer than CI has."""

import os

import pytest

EVERY = os.environ.get("CENTRA_MIRAKL_EVERY_FAULT") == "1"
by_command = pytest.mark.skipif(not EVERY, reason="by command only: CENTRA_MIRAKL_EVERY_FAULT=1")
