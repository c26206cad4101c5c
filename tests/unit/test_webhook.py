"""Centra's webhooks: the published vector, the samples, and every way to get them wrong."""

import hashlib
import hmac
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.centra.webhook import BODY_LIMIT_BYTES, Cause, EventHint, Hints, Rejection, Signature, hints, verify

REFERENCE = Path(os.environ.get("CENTRA_MIRAKL_REFERENCE") or Path(__file__).parents[2].parent / "shared" / "reference")
SAMPLES = sorted((REFERENCE / "samples" / "centra").glob("webhook_*_*.json"))
SECRET = "an-endpoint-secret"
AT = datetime(2025, 3, 4, 10, 1, 15, tzinfo=UTC)
BODY = b"payload=%7B%22products%22%3A%5B%221401%22%5D%7D"


def signed(body: bytes = BODY, secret: str = SECRET, at: datetime = AT) -> str:
    stamp = str(int(at.timestamp()))
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def header(*v1: str, at: datetime = AT) -> str:
    return ",".join([f"t={int(at.timestamp())}", *(f"v1={value}" for value in v1)])


def cause_of(outcome: object) -> Cause:
    assert isinstance(outcome, Rejection), outcome
    assert outcome.reason
    return outcome.cause


def form(payload: object) -> bytes:
    return b"payload=" + quote(json.dumps(payload), safe="").encode()


def test_the_published_vector() -> None:
    """The vendor's own example: secret test123, time 12345678."""
    v1 = "0b9cd84f5d583e5e1aadfb9f160aa8080b51d5b85ff85808d6b75bdac356c549"
    body = b"payload=%7B%22x%22%3A%22test%22%7D"
    now = datetime.fromtimestamp(12345678 + 10, UTC)
    outcome = verify(body, f"t=12345678,v1={v1}", ["test123"], now)
    assert outcome == Signature(datetime.fromtimestamp(12345678, UTC), v1)


@pytest.mark.skipif(not SAMPLES, reason=f"no reference samples at {REFERENCE}")
def test_the_samples_are_genuine_and_name_what_they_name() -> None:
    found: dict[str, Hints] = {}
    for path in SAMPLES:
        sample = json.loads(path.read_text())
        if "raw_body" not in sample or "headers" not in sample:
            continue
        body, sent = sample["raw_body"].encode(), sample["headers"]["X-Centra-Signature"]
        at = datetime.fromtimestamp(int(sent.split(",")[0][2:]), UTC)
        assert isinstance(verify(body, sent, [sample["secret_used_for_this_sample"]], at), Signature)
        gathered = hints(body)
        assert isinstance(gathered, Hints)
        found[path.stem] = gathered
    assert len(found) == 3
    storefront = found["webhook_legacy_storefront_products"]
    assert (storefront.display_items, storefront.warehouses) == ((1401,), (3,))
    orders = found["webhook_integration_order_and_shipment"].events
    assert orders[0] == EventHint("order", "insert", 40321)
    assert orders[-1] == EventHint("shipment", "good_to_go", 7788)
    assert found["webhook_integration_return"].events == (EventHint("return", "create", 612),)


def test_a_genuine_call_passes_within_the_window_both_ways() -> None:
    for seconds in (-300, 0, 300):
        outcome = verify(BODY, header(signed()), [SECRET], AT + timedelta(seconds=seconds))
        assert outcome == Signature(AT, signed())


@pytest.mark.parametrize(("seconds", "cause"), [(301, Cause.TOO_OLD), (-301, Cause.IN_THE_FUTURE)])
def test_outside_the_window_it_is_refused(seconds: int, cause: Cause) -> None:
    outcome = verify(BODY, header(signed()), [SECRET], AT + timedelta(seconds=seconds))
    assert cause_of(outcome) is cause


def test_rotation_tries_every_secret_and_every_signature() -> None:
    old, new, stranger = signed(secret="old"), signed(secret="new"), signed(secret="x")
    for offered in ([old], [new], [stranger, new], [new, stranger]):
        for secrets in (["old", "new"], ["new", "old"], ["", "new", "old"]):
            assert isinstance(verify(BODY, header(*offered), secrets, AT), Signature)
    assert cause_of(verify(BODY, header(stranger), ["old", "new"], AT)) is Cause.WRONG_SIGNATURE


def test_a_repeat_has_the_same_replay_key_and_another_call_another() -> None:
    keys = [
        outcome.replay_key
        for offered in (header(signed()), f"v1={signed()}, t={int(AT.timestamp())}")
        if isinstance(outcome := verify(BODY, offered, ["other", SECRET], AT), Signature)
    ]
    later = AT + timedelta(seconds=1)
    other = verify(BODY, header(signed(at=later), at=later), [SECRET], AT)
    assert keys == [signed(), signed()]
    assert isinstance(other, Signature)
    assert other.replay_key != keys[0]


STAMP = f"t={int(AT.timestamp())}"


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        ("", Cause.UNSIGNED),
        (STAMP, Cause.UNSIGNED),
        (f"{STAMP},v0={signed()}", Cause.UNSIGNED),
        (f"v1={signed()}", Cause.MALFORMED),
        (f"{STAMP},{STAMP},v1={signed()}", Cause.MALFORMED),
        (f"{STAMP},v1={signed().upper()}", Cause.MALFORMED),
        (f"{STAMP},v1={signed()},v1={signed().upper()}", Cause.MALFORMED),
        (f"{STAMP},v1={signed()[:-1]}", Cause.MALFORMED),
        (f"{STAMP},v1={signed()}0", Cause.MALFORMED),
        (f"{STAMP},v1=", Cause.MALFORMED),
        (f"{STAMP}.5,v1={signed()}", Cause.MALFORMED),
        (f"t=-5,v1={signed()}", Cause.MALFORMED),
        (f"t=١٢٣,v1={signed()}", Cause.MALFORMED),
        (f"t={'9' * 400},v1={signed()}", Cause.MALFORMED),
        (f"{STAMP},v1={signed()}" + ",x=y" * 1000, Cause.MALFORMED),
        ("garbage", Cause.MALFORMED),
        (f"t={int(AT.timestamp()) + 1},v1={signed()}", Cause.WRONG_SIGNATURE),
        (f"{STAMP},v1={'0' * 64}", Cause.WRONG_SIGNATURE),
    ],
)
def test_a_bad_header_is_refused_and_named(sent: str, cause: Cause) -> None:
    assert cause_of(verify(BODY, sent, [SECRET], AT)) is cause


def test_any_altered_byte_and_a_re_encoded_body_are_refused() -> None:
    for place in range(len(BODY)):
        altered = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert cause_of(verify(altered, header(signed()), [SECRET], AT)) is Cause.WRONG_SIGNATURE
    decoded = b'payload={"products":["1401"]}'
    assert cause_of(verify(decoded, header(signed()), [SECRET], AT)) is Cause.WRONG_SIGNATURE


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
def test_without_a_secret_nothing_passes(secrets: list[str]) -> None:
    assert cause_of(verify(BODY, header(signed(secret="")), secrets, AT)) is Cause.NO_SECRET


def test_hints_of_both_kinds_in_one_body() -> None:
    body = form(
        {
            "DisplayItems": ["12", 13, "12"],
            "warehouses": [3],
            "Categories": ["1"],
            "events": [
                {"type": "order", "action": "insert", "date": "2025-03-04 10:01:12.120553", "id": "40321"},
                {"type": "order", "action": "insert", "id": 40321},
                {"type": "customer", "id": 5},
                {"action": "no type"},
                7,
            ],
        }
    )
    assert hints(body) == Hints(
        (12, 13),
        (EventHint("order", "insert", 40321), EventHint("customer", "", 5)),
        (3,),
        ("Categories", "events entry"),
    )


def test_odd_ids_are_named_and_the_others_kept() -> None:
    assert hints(form({"products": ["1", "x", None, 2.5, [3], "4"], "warehouses": {"a": 1}})) == Hints(
        (1, 4), unknown=("products entry", "warehouses")
    )


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"", Cause.UNREADABLE),
        (b"payload=", Cause.UNREADABLE),
        (b"other=1", Cause.UNREADABLE),
        (b"payload=%7B%7D&payload=%7B%7D", Cause.UNREADABLE),
        (b"payload=%FF%FE", Cause.UNREADABLE),
        (b"\xff\xfe", Cause.UNREADABLE),
        (b"payload=%5B%5D", Cause.UNREADABLE),
        (b"payload=%7B%22products%22%3A%5B1", Cause.UNREADABLE),
        (b"payload=" + b"%5B" * 10_000, Cause.UNREADABLE),
        (b"&".join(b"a=1" for _ in range(1000)), Cause.UNREADABLE),
        (b"payload=" + b"a" * BODY_LIMIT_BYTES, Cause.TOO_LARGE),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_named(body: bytes, cause: Cause) -> None:
    assert cause_of(hints(body)) is cause


@given(st.binary(max_size=200), st.text(max_size=200))
def test_garbage_never_raises(body: bytes, sent: str) -> None:
    assert isinstance(verify(body, sent, [SECRET], AT), Rejection)
    assert isinstance(hints(body), Hints | Rejection)
    assert isinstance(hints(b"payload=" + body), Hints | Rejection)


@given(
    st.dictionaries(
        st.sampled_from(["products", "DisplayItems", "warehouses", "events", "x"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
        ),
    )
)
def test_any_payload_object_gives_hints(payload: dict[str, object]) -> None:
    assert isinstance(hints(form(payload)), Hints)
