"""How commands must end, and what their words must never be."""

from tests.flows.service import Ended

DONE, DIFFERENCES, CONFIGURATION, UNREACHABLE, FAILED_CHECK = range(5)


def sentence(ended: Ended, code: int) -> str:
    """The words of a command that failed as it should: one line or more, for a person, without a traceback."""
    assert ended.code == code, f"exit code {ended.code}: {ended.out} {ended.errors}"
    assert "Traceback" not in ended.errors + ended.out
    assert ended.errors.startswith("centra-mirakl: ")
    words = " ".join(ended.errors.removeprefix("centra-mirakl: ").split())
    assert len(words) > 20
    return words


def nothing_secret(*all_ended: Ended) -> None:
    for ended in all_ended:
        for secret in ("k-demo-fr", "t-centra-of-the-lab", "s-webhooks-of-the-lab"):
            assert secret not in ended.out + ended.errors
