"""The command line as people meet it: sentences, exit codes, and nothing that looks like a traceback."""

from pathlib import Path

import pytest

from tests.flows.service import FR, SE, SOURCE, Deployment, Ended, deployed, run_command, running, shape, until

DONE, DIFFERENCES, CONFIGURATION, UNREACHABLE, FAILED_CHECK = range(5)
COMMANDS = ("run", "migrate", "check", "status", "stock", "replay", "sandbox", "demo")
NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"


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


# ------------------------------------------------------------------------------------------------ without anything


async def test_help_of_every_command_says_what_it_does() -> None:
    top = await run_command({}, "--help")
    assert top.code == DONE
    for command in COMMANDS:
        assert f" {command} " in top.out
    assert "Exit codes" in top.out
    for command in COMMANDS:
        ended = await run_command({}, command, "--help")
        assert ended.code == DONE
        assert "Usage:" in ended.out
        assert "Traceback" not in ended.errors


async def test_without_a_command_the_help_is_shown_and_an_unknown_one_is_named() -> None:
    alone = await run_command({})
    assert "Usage:" in alone.out + alone.errors
    unknown = await run_command({}, "stcok")
    assert unknown.code == CONFIGURATION
    assert "stcok" in unknown.errors
    assert "Traceback" not in unknown.errors


@pytest.mark.parametrize(
    "command", [("run",), ("check",), ("status",), ("stock", "explain", "VX-1"), ("replay", "--dead-letters")]
)
async def test_a_missing_channel_file_is_said_with_its_place(tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "nowhere.toml"
    words = sentence(
        await run_command({"CENTRA_MIRAKL_CHANNELS_FILE": str(file), "DATABASE_URL": NOWHERE}, *command), CONFIGURATION
    )
    assert str(file) in words
    assert "CENTRA_MIRAKL_CHANNELS_FILE" in words


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[centra]\nurl = 'http://127.0.0.1:1'\n[[channel]]\nid = 'demo-fr'\nurl = 'http://127.0.0.1:2'\nshop_id = 1\n"
         "market = 4\nstock = {bufer = 2}\n", "channel demo-fr, stock.bufer"),
        ("[centra]\nurll = 'http://127.0.0.1:1'\n", "centra.urll"),
        ("[centra\n", "is not TOML"),
        ("[centra]\nurl = 'http://127.0.0.1:1'\nchannel = []\n", "centra.channel"),
    ],
    ids=["a channel's member", "centra's member", "no TOML", "a member in the wrong table"],
)  # fmt: skip
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
        again = await place.command("check")  # daily calls are not free any more, and nothing was mirrored
        assert "Traceback" not in again.errors + again.out
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


async def test_status_explain_and_replay(database_url: str) -> None:
    async with running(database_url, shape(channels=(FR, SE))) as service:
        bad, good = [size["sku"] for size in await service.sizes()][:2]
        await service.faults(
            service.mirakl(), {"code": "STO01", "kind": "line_error", "skus": [bad], "message": "Offer is locked"}
        )
        await service.bump([bad, good])
        await until(lambda: service.held(FR, "stock"), "the bad line is held")
        await service.at_rest(SE)

        for arguments in (("status",), ("status", "--held"), ("status", FR)):
            ended = await service.command(*arguments)
            assert ended.code == DONE, ended.errors
            assert "Offer is locked" in ended.out
            assert bad in ended.out
            assert (SE in ended.out) is (FR not in arguments)
            nothing_secret(ended)
        assert "lines, done" in ended.words

        explained = await service.command("stock", "explain", good)
        assert explained.code == DONE, explained.errors
        quantity = (await service.sellable())[good]
        for words in (
            "Main warehouse: free to allocate",
            "thresholds of the warehouses",
            f"available to sell: {quantity}",
        ):
            assert words in explained.words
        assert explained.out.count("confirmed") == 2
        held = await service.command("stock", "explain", bad)
        assert "held" in held.out
        assert "Offer is locked" in held.out
        unknown = await service.command("stock", "explain", "VX-NOWHERE")
        assert "nobody knows the SKU VX-NOWHERE" in sentence(unknown, DIFFERENCES)

        assert "there is no flow sotck" in sentence(await service.command("replay", FR, "sotck"), CONFIGURATION)
        assert "demo-xx" in sentence(await service.command("replay", "demo-xx", "stock"), CONFIGURATION)
        released = await service.command("replay", FR, "stock", bad, "--who", "Ilva Testberg", "--why", "unlocked")
        assert "1 keys of stock on demo-fr are due now" in released.words
        await service.at_rest()
        audit = "SELECT count(*) FROM audit WHERE actor = 'Ilva Testberg' AND subject = $1 AND detail = 'unlocked'"
        assert await service.count(audit, f"stock:{bad}") == 1
        ended = await service.command("status")
        assert "Offer is locked" not in ended.out


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
