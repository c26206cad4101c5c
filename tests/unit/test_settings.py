"""The channel file, the environment and the secrets: what is wrong is said with its place, and nothing is shown."""

from __future__ import annotations

import re
import traceback
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.settings import Centra, Channel, Channels, Process, Secrets, SettingsError, load_channels, load_process

GOOD = """
[centra]
url = "https://demo.centra.example/graphql"
store = 1

[[channel]]
id = "demo-fr"
url = "https://demo.mirakl.example"
shop_id = 2001
market = 3
file_hosts = ["files.mirakl.example"]
[channel.stock]
buffer = 2
full_push_seconds = 3600
[channel.guard]
share = 0.2

[[channel]]
id = "demo-se"
url = "http://127.0.0.1:8081"
shop_id = 2002
currency = "SEK"
market = 4
profile = "external_partner"
"""
CANARY = "canary-5f1d9b"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "channels.toml"


def complaint(file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_channels(file)
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


# --------------------------------------------------------------------------------------------- the channel file


def test_a_file_is_read_whole(file: Path) -> None:
    file.write_text(GOOD, encoding="utf-8")
    settings = load_channels(file)
    assert list(settings.by_id()) == ["demo-fr", "demo-se"]
    french, swedish = settings.channel
    assert (french.stock.buffer, french.stock.full_push_seconds, french.guard.share) == (2, 3600.0, 0.2)
    assert french.file_hosts == ("files.mirakl.example",)
    assert (swedish.currency, swedish.profile, swedish.market, swedish.stock.on) == ("SEK", "external_partner", 4, True)
    assert (settings.centra.id, settings.centra.store, settings.centra.share) == ("centra", 1, 0.7)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("store = 1", "stroe = 1", "centra.stroe"),
        ("currency =", "currancy =", "channel demo-se, currancy"),
        ("buffer = 2", "bufer = 2", "channel demo-fr, stock.bufer"),
        ("share = 0.2", "shares = 0.2", "channel demo-fr, guard.shares"),
        ("[channel.stock]", "[channel.stok]", "channel demo-fr, stok"),
        ("[centra]", "[defaults]\n[centra]", "defaults"),
        ("[centra]", "buffer = 1\n[centra]", "buffer"),
    ],
)
def test_a_misspelt_member_is_named_with_its_file_and_place(file: Path, old: str, new: str, place: str) -> None:
    assert complaint(file, changed(old, new)) == f"{file}: {place}: there is no such member; check its spelling"


def test_every_mistake_is_told_at_once(file: Path) -> None:
    text = changed("buffer = 2", "bufer = 2").replace("shop_id = 2002", "shopid = 2002")
    assert complaint(file, text).splitlines() == [
        f"{file}: channel demo-fr, stock.bufer: there is no such member; check its spelling",
        f"{file}: channel demo-se, shop_id: this member is needed; add it",
        f"{file}: channel demo-se, shopid: there is no such member; check its spelling",
    ]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("shop_id = 2001", 'shop_id = "2001"', "channel demo-fr, shop_id"),
        ("market = 3", "market = true", "channel demo-fr, market"),
        ("buffer = 2", "buffer = -1", "channel demo-fr, stock.buffer"),
        ("buffer = 2", "buffer = 2.0", "channel demo-fr, stock.buffer"),
        ("buffer = 2", 'dry_run = "no"', "channel demo-fr, stock.dry_run"),
        ("buffer = 2", "on = 1", "channel demo-fr, stock.on"),
        ("buffer = 2", "cap = -1", "channel demo-fr, stock.cap"),
        ("full_push_seconds = 3600", "full_push_seconds = 1", "channel demo-fr, stock.full_push_seconds"),
        ("full_push_seconds = 3600", "full_push_seconds = inf", "channel demo-fr, stock.full_push_seconds"),
        ("share = 0.2", "share = nan", "channel demo-fr, guard.share"),
        ("share = 0.2", "jump_factor = 0", "channel demo-fr, guard.jump_factor"),
        ('currency = "SEK"', 'currency = "kr"', "channel demo-se, currency"),
        ('profile = "external_partner"', 'profile = "partner"', "channel demo-se, profile"),
        ('["files.mirakl.example"]', "[7]", "channel demo-fr, file_hosts.0"),
        ('id = "demo-fr"', 'id = "Demo FR"', "channel Demo FR, id"),
        ('url = "https://demo.mirakl.example"', 'url = "demo.mirakl.example"', "channel demo-fr, url"),
        ("store = 1", "share = 0.9", "centra.share"),
        ("store = 1", 'sku = "gtin"', "centra.sku"),
        ("store = 1", 'events = "off"', "centra.events"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_where_it_stands(file: Path, old: str, new: str, place: str) -> None:
    said = complaint(file, changed(old, new))
    assert said.startswith(f"{file}: {place}: ")
    assert said.endswith("; correct it")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["centra: this member is needed; add it", "channel: this member is needed; add it"]),
        (GOOD.partition("[[channel]]")[0], ["channel: this member is needed; add it"]),
        (GOOD.replace('id = "demo-fr"\n', ""), ["channel number 1, id: this member is needed; add it"]),
        (GOOD.replace('id = "demo-se"\n', ""), ["channel number 2, id: this member is needed; add it"]),
    ],
)
def test_what_is_missing_is_named(file: Path, text: str, words: list[str]) -> None:
    assert complaint(file, text).splitlines() == [f"{file}: {word}" for word in words]


HEAD = GOOD.partition("[[channel]]")[0]
A_LIST = "this must be a list: [...] of values, or [[...]] before each table"
A_TABLE = "this must be a table: write its members under a heading in [...]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + '[channel]\nid = "demo-fr"\n', f"channel: {A_LIST}"),
        ('channel = "demo-fr"\n' + HEAD, f"channel: {A_LIST}"),
        ('channel = ["demo-fr"]\n' + HEAD, f"channel number 1: {A_TABLE}"),
        ('centra = "demo"\n' + GOOD.replace(HEAD, ""), f"centra: {A_TABLE}"),
        (changed("market = 4", "market = 4\nstock = 5"), f"channel demo-se, stock: {A_TABLE}"),
        (changed('["files.mirakl.example"]', '"files.mirakl.example"'), f"channel demo-fr, file_hosts: {A_LIST}"),
        (
            "channel = []\n" + HEAD,
            "the whole file: there is no channel; write a [[channel]] table for each Mirakl shop",
        ),
    ],
)
def test_a_list_or_table_that_is_something_else_is_told_so(file: Path, text: str, words: str) -> None:
    assert complaint(file, text) == f"{file}: {words}"


@pytest.mark.parametrize(("old", "new"), [('id = "demo-se"', 'id = "demo-fr"'), ("store = 1", 'id = "demo-fr"')])
def test_an_id_is_used_once_by_channels_and_source_together(file: Path, old: str, new: str) -> None:
    assert complaint(file, changed(old, new)) == (
        f"{file}: the whole file: the id demo-fr is used twice; each channel and the source need their own"
    )


def test_a_missing_file_is_told_with_what_to_do(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no channel file .*channels\.toml: write one, or set "):
        load_channels(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"{re.escape(str(tmp_path))} can't be read: .*; make it a file"):
        load_channels(tmp_path)


@pytest.mark.parametrize("body", [b"[centra\n", b'[centra]\nurl = "a"\nurl = "b"\n', b"url = \xff\n", b"a = 1 b = 2"])
def test_text_that_is_no_toml_is_told_with_its_place(file: Path, body: bytes) -> None:
    file.write_bytes(body)
    with pytest.raises(SettingsError, match=f"{re.escape(str(file))} is not TOML: .+; correct it there"):
        load_channels(file)


def test_field_case_73_settings_are_never_written_by_a_running_job(file: Path) -> None:
    file.write_text(GOOD, encoding="utf-8")
    settings = load_channels(file)
    for owner, member in (
        (settings, "channel"),
        (settings.centra, "events"),
        (settings.channel[0], "market"),
        (settings.channel[0].stock, "on"),
        (settings.channel[0].guard, "least"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(owner, member, getattr(owner, member))


ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,40}", fullmatch=True)


def named(channel_id: str) -> Channel:
    return Channel(id=channel_id, url="https://demo.mirakl.example", shop_id=1, market=1)


@given(ids, ids)
def test_two_channels_never_share_a_secret(one: str, other: str) -> None:
    assert (named(one).secret_name == named(other).secret_name) is (one == other)
    assert re.fullmatch(r"MIRAKL_KEY_[A-Z0-9_]+", named(one).secret_name)
    assert (named(one).finance_secret_name == named(other).finance_secret_name) is (one == other)
    assert named(one).finance_secret_name != named(other).secret_name


# ------------------------------------------------------------------------------------------------ the environment


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without any setting of ours, in an empty folder."""
    for name in ("DATABASE_URL", *(f"CENTRA_MIRAKL_{m.upper()}" for m in Process.model_fields)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_the_environment_says_where_things_are(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("CENTRA_MIRAKL_CHANNELS_FILE", "/etc/shop/channels.toml")
    bare.setenv("CENTRA_MIRAKL_PORT", "0")
    bare.setenv("CENTRA_MIRAKL_LOG_FORMAT", "console")
    process = load_process()
    assert (process.channels_file, process.port, process.log_format, process.drain_seconds) == (
        Path("/etc/shop/channels.toml"),
        0,
        "console",
        25,
    )


@pytest.mark.parametrize("name", ["DATABASE_URL", "CENTRA_MIRAKL_DATABASE_URL"])
def test_the_databases_address_is_a_secret(bare: pytest.MonkeyPatch, name: str) -> None:
    bare.setenv(name, f"postgresql://app:{CANARY}@db.example/shop")
    process = load_process()
    assert process.database_url.get_secret_value() == f"postgresql://app:{CANARY}@db.example/shop"
    assert CANARY not in f"{process} {process!r} {process.model_dump()} {process.model_dump_json()}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "eighty"), ("PORT", "65536"), ("LOG_FORMAT", "xml"), ("DRAIN_SECONDS", "-1"), ("DRAIN_SECONDS", "soon")],
)
def test_a_wrong_variable_is_named_and_not_shown(bare: pytest.MonkeyPatch, name: str, value: str) -> None:
    bare.setenv(f"CENTRA_MIRAKL_{name}", value)
    bare.setenv("DATABASE_URL", f"postgresql://app:{CANARY}@db.example/shop")
    with pytest.raises(SettingsError, match=f"the variable CENTRA_MIRAKL_{name} is wrong: .+; set it anew") as caught:
        load_process()
    assert CANARY not in "".join(traceback.format_exception(caught.value))


# ---------------------------------------------------------------------------------------------------- secrets


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where secrets are mounted; none of them is in the environment."""
    for name in ("CENTRA_TOKEN", "CENTRA_WEBHOOK_SECRETS", "MIRAKL_KEY_DEMO_FR", "MIRAKL_FINANCE_KEY_DEMO_FR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_secret_comes_from_the_environment_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "centra_token").write_text("from-the-file\n")
    monkeypatch.setenv("CENTRA_TOKEN", " from-the-environment ")
    assert Secrets(folder).read("CENTRA_TOKEN").get_secret_value() == "from-the-environment"
    monkeypatch.setenv("CENTRA_TOKEN", "  ")
    assert Secrets(folder).read("CENTRA_TOKEN").get_secret_value() == "from-the-file"


def test_a_rotated_file_is_read_anew(folder: Path) -> None:
    secrets, place = Secrets(folder), folder / "mirakl_key_demo_fr"
    place.write_text("old-key\n")
    assert secrets.read(named("demo-fr").secret_name).get_secret_value() == "old-key"
    (folder / "fresh").write_text("new-key\n")
    (folder / "fresh").replace(place)  # as an orchestrator swaps a mounted file
    assert secrets.read(named("demo-fr").secret_name).get_secret_value() == "new-key"


def test_the_key_for_the_transaction_log_is_the_second_one_as_soon_as_somebody_sets_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets, channel, place = Secrets(folder), named("demo-fr"), folder / "mirakl_finance_key_demo_fr"
    assert secrets.finance_name(channel) == "MIRAKL_KEY_DEMO_FR"
    monkeypatch.setenv("MIRAKL_FINANCE_KEY_DEMO_FR", " ")
    assert secrets.finance_name(channel) == "MIRAKL_KEY_DEMO_FR"
    place.touch()
    assert secrets.finance_name(channel) == "MIRAKL_FINANCE_KEY_DEMO_FR"
    with pytest.raises(SettingsError, match="MIRAKL_FINANCE_KEY_DEMO_FR is missing, empty or unreadable"):
        secrets.read(secrets.finance_name(channel))  # and not the shop's usual one in its place
    place.unlink()
    monkeypatch.setenv("MIRAKL_FINANCE_KEY_DEMO_FR", "k-finance")
    assert secrets.read(secrets.finance_name(channel)).get_secret_value() == "k-finance"


@pytest.mark.parametrize("body", [None, b"", b" \n", b"\xff\xfe\x00"])
def test_a_secret_that_is_not_there_is_told_with_both_places(folder: Path, body: bytes | None) -> None:
    if body is not None:
        (folder / "centra_token").write_bytes(body)
    with pytest.raises(SettingsError) as caught:
        Secrets(folder).read("CENTRA_TOKEN")
    assert str(caught.value) == (
        "the secret CENTRA_TOKEN is missing, empty or unreadable: set the variable, or mount the file"
        f" {folder / 'centra_token'}"
    )


@pytest.mark.parametrize(
    ("text", "several"),
    [(None, []), ("one", ["one"]), ("new,old", ["new", "old"]), (" new ,\n old\n", ["new", "old"]), (",", [])],
)
def test_several_secrets_are_valid_while_one_follows_another(
    folder: Path, text: str | None, several: list[str]
) -> None:
    if text is not None:
        (folder / "centra_webhook_secrets").write_text(text)
    found = Secrets(folder).read_several("CENTRA_WEBHOOK_SECRETS")
    assert [secret.get_secret_value() for secret in found] == several


def test_a_secret_is_never_in_its_own_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CENTRA_TOKEN", CANARY)
    secrets = Secrets(folder)
    secret = secrets.read("CENTRA_TOKEN")
    monkeypatch.setenv("CENTRA_WEBHOOK_SECRETS", f"{CANARY},{CANARY}")
    several = secrets.read_several("CENTRA_WEBHOOK_SECRETS")
    assert len(several) == 2
    assert CANARY not in f"{secret} {secret!r} {several} {several!r} {secrets!r} {vars(secrets)}"


@pytest.mark.parametrize("member", ["api_key", "token"])
def test_a_key_put_into_the_channel_file_is_refused_and_not_repeated(file: Path, member: str) -> None:
    said = complaint(file, changed("shop_id = 2001", f'shop_id = 2001\n{member} = "{CANARY}"'))
    assert said == f"{file}: channel demo-fr, {member}: there is no such member; check its spelling"


def test_the_schema_of_the_file_holds_no_place_for_a_secret() -> None:
    """`token_expires_on` is a day, which can't be taken for one."""
    members = Channels.model_fields | Channel.model_fields | Centra.model_fields
    places = {name for name, field in members.items() if field.annotation != (date | None)}
    assert not {name for name in places if re.search("key|token|secret|password", name)}


@pytest.mark.parametrize(
    "written", ["https://shop.centra.com", "https://shop.centra.com/", "https://shop.centra.com/graphql"]
)
def test_centras_address_may_be_given_with_or_without_its_path(tmp_path: Path, written: str) -> None:
    file = tmp_path / "channels.toml"
    channel = '[[channel]]\nid = "fr"\nurl = "https://fr.mirakl.net"\nshop_id = 1\nmarket = 4\n'
    file.write_text(f'[centra]\nurl = "{written}"\n\n{channel}')
    assert load_channels(file).centra.url == "https://shop.centra.com"
