"""The command line as people meet it: sentences, exit codes, and nothing that looks like a traceback."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import main
from tests.console.words import CONFIGURATION, DONE, FAILED_CHECK, UNREACHABLE, nothing_secret, sentence
from tests.flows.service import FR, SE, SOURCE, Deployment, deployed, run_command, shape

COMMANDS = ("run", "migrate", "check", "status", "stock", "replay", "sandbox", "demo")
NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"


# ------------------------------------------------------------------------------------------------ without anything


async def test_help_says_what_each_command_does() -> None:
    top = await run_command({}, "--help")
    assert top.code == DONE
    for command in COMMANDS:
        assert f" {command} " in top.out
    assert "Exit codes" in top.out


@pytest.mark.parametrize("command", [*COMMANDS, "stock explain", "stock release"])
def test_help_of_a_command(command: str) -> None:
    ended = CliRunner().invoke(main, [*command.split(), "--help"], env={"NO_COLOR": "1"})
    assert ended.exit_code == DONE
    assert "Usage:" in ended.output
    assert len(ended.output.split()) > 15


async def test_without_a_command_the_help_is_shown_and_an_unknown_one_is_named() -> None:
    alone = await run_command({})
    assert "Usage:" in alone.out + alone.errors
    unknown = await run_command({}, "stcok")
    assert unknown.code == CONFIGURATION
    assert "stcok" in unknown.errors
    assert "Traceback" not in unknown.errors


@pytest.mark.parametrize("command", ["run", "check", "status", "stock explain VX-1", "replay --dead-letters"])
async def test_a_missing_channel_file_is_said_with_its_place(tmp_path: Path, command: str) -> None:
    file = tmp_path / "nowhere.toml"
    words = sentence(
        await run_command({"CENTRA_MIRAKL_CHANNELS_FILE": str(file), "DATABASE_URL": NOWHERE}, *command.split()),
        CONFIGURATION,
    )
    assert str(file) in words
    assert "CENTRA_MIRAKL_CHANNELS_FILE" in words


CHANNEL = """
[centra]
url = 'http://127.0.0.1:1'
[[channel]]
id = 'demo-fr'
url = 'http://127.0.0.1:2'
shop_id = 1
market = 4
stock = {bufer = 2}
"""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (CHANNEL, "channel demo-fr, stock.bufer"),
        ("[centra]\nurll = 'http://127.0.0.1:1'\n", "centra.urll"),
        ("[centra\n", "is not TOML"),
        ("[centra]\nurl = 'http://127.0.0.1:1'\nchannel = []\n", "centra.channel"),
    ],
    ids=["a channel's member", "centra's member", "no TOML", "a member in the wrong table"],
)
async def test_a_misspelt_channel_file_is_said_with_place_and_member(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "channels.toml"
    file.write_text(text)
    environment = {"CENTRA_MIRAKL_CHANNELS_FILE": str(file), "DATABASE_URL": NOWHERE}
    words = sentence(await run_command(environment, "run"), CONFIGURATION)
    assert str(file) in words
    assert named in words


async def test_wrong_variables_and_arguments_are_said() -> None:
    wrong = await run_command({"CENTRA_MIRAKL_PORT": "eighty"}, "run")
    assert "CENTRA_MIRAKL_PORT" in sentence(wrong, CONFIGURATION)
    assert "name a channel and a flow" in sentence(await run_command({}, "replay", FR), CONFIGURATION)
    assert "there is no act" in sentence(await run_command({}, "demo", "--act", "opera"), CONFIGURATION)
    assert "DATABASE_URL" in sentence(await run_command({}, "migrate"), CONFIGURATION)


# ----------------------------------------------------------------------------------------------- with a database


async def test_no_database(database_url: str) -> None:
    """Whatever needs it says that it does not answer; `run` waits for it instead, which is another test's."""
    async with deployed(database_url) as place:
        for command in (
            ("status",),
            ("check",),
            ("migrate",),
            ("stock", "explain", "VX-1"),
            ("stock", "release", FR, "--all"),
        ):
            ended = await place.command(*command, DATABASE_URL=NOWHERE)
            assert "database" in sentence(ended, UNREACHABLE), command
            nothing_secret(ended)


async def test_migrate_and_what_is_said_before(database_url: str, empty_database_url: str) -> None:
    async with deployed(database_url) as place:
        before = await place.command("status", DATABASE_URL=empty_database_url)
        assert "centra-mirakl migrate" in sentence(before, CONFIGURATION)
        first = await place.command("migrate", DATABASE_URL=empty_database_url)
        assert first.code == DONE, first.errors
        assert first.out.count("applied ") >= 5
        again = await place.command("migrate", DATABASE_URL=empty_database_url)
        assert (again.code, again.words) == (DONE, "up to date")
        after = await place.command("status", DATABASE_URL=empty_database_url)
        assert after.code == DONE, after.errors


# -------------------------------------------------------------------------------------------------------- check


async def test_check_when_all_is_well(database_url: str) -> None:
    async with deployed(database_url, shape(channels=(FR, SE))) as place:
        ended = await place.command("check")
        assert ended.code == DONE, ended.out + ended.errors
        assert "✗" not in ended.out
        for words in (
            "key and shop (A01)",
            "is OPEN",
            "Marketplace FR, sells from Main warehouse",
            "currency",
            SE,
            SOURCE,
        ):
            assert words in ended.out
        nothing_secret(ended)
        assert await place.pushed() == []
        again = await place.command("check")  # daily calls are not free any more: what was read then is shown
        assert again.code == DONE, again.out + again.errors
        assert "is OPEN (read " in again.out
        assert await place.violations(place.mirakl()) == []


async def _check_fails(place: Deployment, code: int, *words: str, **variables: str) -> None:
    ended = await place.command("check", **variables)
    assert ended.code == code, ended.out + ended.errors
    assert "✗" in ended.out
    assert "Traceback" not in ended.out + ended.errors
    for each in words:
        assert each in ended.out, ended.out
    nothing_secret(ended)


async def test_check_names_a_wrong_key_and_then_the_right_one_passes(database_url: str) -> None:
    """Exit code 4 with the name of the secret; the corrected key is not made to wait for a daily call."""
    async with deployed(database_url) as place:
        await _check_fails(place, FAILED_CHECK, "Unauthorized", "MIRAKL_KEY_DEMO_FR", MIRAKL_KEY_DEMO_FR="k-mistyped")
        await _check_fails(place, FAILED_CHECK, "token", "Unauthorized", CENTRA_TOKEN="t-mistyped")
        ended = await place.command("check")
        assert ended.code == DONE, ended.out


async def test_check_names_what_does_not_fit(database_url: str) -> None:
    async with deployed(database_url, shape(mirakl={"daily_ceiling_calls": 9})) as place:
        place.edit_channels("market = 4", "market = 77")
        await place.admin.post(place.mirakl(), "/_sandbox/shop", {"state": "CLOSE", "currency": "PLN"})
        await place.admin.post(place.mirakl(), "/_sandbox/forbid", {"codes": ["PC01"]})
        await _check_fails(
            place,
            FAILED_CHECK,
            "Centra has no market 77; there are 1 Online Europe, 4 Marketplace FR",
            "is CLOSE",
            "PLN, but the channel file says EUR",
            "switches (PC01)",
            "Forbidden",
        )


async def test_check_when_a_platform_does_not_answer(database_url: str) -> None:
    async with deployed(database_url, shape(channels=(FR, SE))) as place:
        place.edit_channels(place.mirakl(SE), "http://127.0.0.1:9")
        await _check_fails(place, UNREACHABLE, "no answer", "demo-se", "is OPEN")
        place.edit_channels(place.centra, "http://127.0.0.1:9")
        await _check_fails(place, UNREACHABLE, "no answer", "token")


async def test_a_missing_secret_is_said_with_where_it_was_looked_for(database_url: str) -> None:
    async with deployed(database_url) as place:
        for name in ("MIRAKL_KEY_DEMO_FR", "CENTRA_TOKEN"):
            words = sentence(await place.command("check", **{name: ""}), CONFIGURATION)
            assert name in words
            assert name.lower() in words


# ----------------------------------------------------------------------------------------------- while it serves


async def test_a_service_process_serves_reports_itself_and_ends_on_sigterm(database_url: str) -> None:
    """The real `run`: ready, metrics by name, a log without secrets, exit code 0."""
    async with deployed(database_url) as place:
        replica = await place.lab.start_replica()
        await place.alike()
        health = await place.lab.ask(replica.address, "/healthz")
        assert health == {"live": True}
        assert await replica.stop() == 0
        log = replica.log.read_text()
        assert '"event": "ready"' in log
        for secret in ("k-demo-fr", "t-centra-of-the-lab", "s-webhooks-of-the-lab"):
            assert secret not in log
        assert "Traceback" not in log
