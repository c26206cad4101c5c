"""The command line as people meet it: sentences, exit codes, and nothing that looks like a traceback."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import msgspec
import pytest
from typer.testing import CliRunner

from app.cli import main
from app.commands.demo.orders import CentraOrder, Ends, MarketplaceOrder, Played, Told, judge
from app.commands.demo.orders_cast import OPERATED, ORDERS, Scene, cast
from app.commands.demo.play import Report
from tests.console.words import CONFIGURATION, DONE, FAILED_CHECK, UNREACHABLE, nothing_secret, sentence
from tests.flows.service import FR, SE, SOURCE, Deployment, deployed, run_command, shape

COMMANDS = ("run", "migrate", "check", "status", "stock", "replay", "orders", "privacy", "sandbox", "demo")
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


async def test_check_proves_the_key_for_the_transaction_log(database_url: str) -> None:
    """The shop's usual key need not have the accountancy role, a second one must. Reasons are asked for once."""
    wanted = shape(orders="on", after_sale='refund_reason = "no-such"', mirakl={"accountancy_keys": ["k-money"]})
    async with deployed(database_url, wanted) as place:
        await _check_fails(
            place,
            FAILED_CHECK,
            "the key in MIRAKL_KEY_DEMO_FR lacks the accountancy role",
            "put the key of a user who has it into MIRAKL_FINANCE_KEY_DEMO_FR",
            "refund_reason: no reason no-such of type REFUND",
        )
        assert len(await place.calls(place.mirakl(), "RE01")) == 1
        a_minute = 60 / place.lab.shape.scale  # which the log's ceiling puts between two calls
        await anyio.sleep(a_minute)
        unknown = "the marketplace does not know the key in MIRAKL_FINANCE_KEY_DEMO_FR"
        await _check_fails(place, FAILED_CHECK, unknown, "is OPEN", MIRAKL_FINANCE_KEY_DEMO_FR="k-mistyped")
        await anyio.sleep(a_minute)
        found = await place.command("check", MIRAKL_FINANCE_KEY_DEMO_FR="k-money")
        assert "the key in MIRAKL_FINANCE_KEY_DEMO_FR may read it" in found.out


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


# ------------------------------------------------------------------------------------------------ what the demo says

AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SCENES = {scene.order_id: scene for scene in cast((FR, SE), [f"VX-{n}" for n in range(ORDERS)], "VX-GONE")}


def _at_marketplace(scene: Scene, state: str, *, accepted_after: timedelta | None = timedelta(0)) -> MarketplaceOrder:
    lines = {
        f"{scene.order_id}-{place}": {
            "sku": line.sku,
            "quantity": line.quantity,
            "state": "REFUSED" if line.short else state,
        }
        for place, line in enumerate(scene.bought, 1)
    }
    accepted_at = None if accepted_after is None else AT + accepted_after
    members = {"state": state, "reason": None, "created_at": AT, "accepted_at": accepted_at, "lines": lines}
    return msgspec.convert(members, MarketplaceOrder)


def _in_centra(
    scene: Scene, *, status: str = "CONFIRMED", unpaid: bool = False, total: float | None = None
) -> CentraOrder:
    first, last = scene.buyer or ("Astrid", "Lindqvist")
    delivered = scene.delivered
    members = {
        "number": 40_301,
        "status": status,
        "is_on_hold": False,
        "is_waiting_for_payment": unpaid,
        "internal_comment": f"mirakl:{scene.channel}:{scene.order_id}",
        "other_comment": scene.words,
        "email": scene.told.get("email"),
        "shipping_address": {"first_name": first, "last_name": last},
        "totals": {"grand_total": total or round(sum(line.total for line in delivered.values()), 2)},
        "lines": [
            {"sku": line.sku, "quantity": line.quantity, "demand": {}, "comment": line_id}
            for line_id, line in delivered.items()
        ],
        "history": [{"change": "CREATE"}, {"change": "COMPLETE"}],
    }
    return msgspec.convert(members, CentraOrder)


def _judged(scene: Scene, there: MarketplaceOrder, entered: list[CentraOrder], told: Told) -> Played:
    mark = f"mirakl:{scene.channel}:{scene.order_id}"
    ends = Ends({FR: {}, SE: {}, scene.channel: {scene.order_id: there}}, {mark: entered} if entered else {})
    return judge([scene], ends, {scene.order_id: told}, DAY)


def test_the_demo_has_sixty_orders_over_both_channels_each_with_an_id_of_its_own() -> None:
    assert len(SCENES) == ORDERS
    assert {scene.channel for scene in SCENES.values()} == {FR, SE}


@pytest.mark.parametrize(
    ("order_id", "state", "outcome", "unpaid"),
    [
        ("DEMO-11-A", "SHIPPING", "released", False),
        ("DEMO-12-A", "SHIPPING", "released", False),
        ("DEMO-15-A", "WAITING_DEBIT_PAYMENT", None, True),
        ("DEMO-22-A", "SHIPPING", "released", False),
        (OPERATED, "SHIPPING", "recorded", False),
        ("DEMO-13-A", "REFUSED", "refused", False),
    ],
)
def test_the_demo_finds_nothing_wrong_with_an_order_that_ended_well(
    order_id: str, state: str, outcome: str | None, unpaid: bool
) -> None:
    scene = SCENES[order_id]
    entered = [_in_centra(scene, unpaid=unpaid)] if scene.enters else []
    played = _judged(scene, _at_marketplace(scene, state), entered, Told(outcome, None, 3.0))
    assert (played.faults, played.ended) == ([], {order_id: scene.ends})
    assert played.seconds == {"median": 3.0, "p99": 3.0}


def test_the_demo_finds_an_order_that_is_missing_twice_there_wrong_or_late() -> None:
    scene = SCENES["DEMO-11-A"]
    there, well, told = _at_marketplace(scene, "SHIPPING"), _in_centra(scene), Told("released", None, 3.0)
    cancelled = _in_centra(scene, status="CANCELLED")
    late = _at_marketplace(scene, "SHIPPING", accepted_after=DAY + timedelta(seconds=1))
    for words, order, entered in (
        ("placed 0 times", there, []),
        ("placed 2 times", there, [well, well]),
        ("placed 2 times", there, [well, cancelled]),
        ("its total in Centra is 1.0", there, [_in_centra(scene, total=1.0)]),
        ("is on its way", there, [_in_centra(scene, unpaid=True)]),
        ("its units in Centra", there, [msgspec.structs.replace(well, lines=well.lines[:1])]),
        ("after their deadline", late, [well]),
    ):
        assert words in " ".join(_judged(scene, order, entered, told).faults), words


def test_the_demo_takes_an_order_as_held_only_with_a_reason() -> None:
    scene = replace(SCENES["DEMO-20-A"], ends="held")
    there = _at_marketplace(scene, "WAITING_ACCEPTANCE", accepted_after=None)
    held = _judged(scene, there, [], Told(None, "no destination for XK", None))
    assert (held.faults, held.held) == ([], {scene.order_id: "no destination for XK"})
    assert "is on its way, not held" in _judged(scene, there, [], Told(None, None, None)).faults[0]


def test_the_demo_finds_a_centra_order_that_nobody_placed() -> None:
    scene = SCENES["DEMO-11-A"]
    ends = Ends({FR: {}, SE: {}}, {f"mirakl:{FR}:ELSEWHERE-A": [_in_centra(scene)]})
    assert any("ELSEWHERE-A" in words for words in judge([scene], ends, {}, DAY).faults)


def test_the_report_of_the_demo_counts_orders_and_is_good_only_when_all_of_it_is() -> None:
    members = asdict(Report("orders"))
    assert {"orders", "orders_held", "orders_wrong", "accepted_seconds", "differences"} <= members.keys()
    assert not Report("orders").good, "nothing was played"
    assert Report("orders", orders={"released": 60}).good
    assert not Report("all", orders={"released": 60}).good, "no stock was played"
    assert Report("all", orders={"released": 60}, changes=1).good
    assert not Report("orders", orders={"released": 60}, orders_wrong=["DEMO-11-A: placed 2 times"]).good
    assert not Report("orders", orders={"released": 60}, differences=1).good
