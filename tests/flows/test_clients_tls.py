"""F44: certificates and names that are wrong. Nothing is sent, and the reason says what to look at."""

import shutil
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.wire.outcome import Applied, NotSent
from app.wire.request import CallSeen, Limits, WireRequest
from app.wire.transport import Transport
from tests.raw_server import answering, http, raw_server

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs the openssl program to make certificates")
CALL = WireRequest("A01", "POST", "/api/account", json=b'{"canary":"body"}')


PAST = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
AUTHORITY = """
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


def certificate(folder: Path, subject: str, *, expired: bool) -> tuple[Path, Path]:
    """A self-signed certificate for an address or a name, and its key."""
    kind = "IP" if subject[0].isdigit() else "DNS"
    (folder / "ca.conf").write_text(AUTHORITY)
    (folder / "index.txt").touch()
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem")
    names = ("-subj", f"/CN={subject}", "-addext", f"subjectAltName={kind}:{subject}")
    dates = PAST if expired else ("-days", "2")
    own = ("-config", "ca.conf", "-selfsign", "-keyfile", "key.pem", "-batch", "-notext")
    for command in (
        ("openssl", "req", "-new", *curve, *names, "-out", "asked.pem"),
        ("openssl", "ca", *own, *dates, "-in", "asked.pem", "-out", "cert.pem"),
    ):
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder / "cert.pem", folder / "key.pem"


async def outcome_of(
    folder: Path, subject: str, *, expired: bool = False, trusted: bool = True, seen: list[CallSeen] | None = None
) -> object:
    cert, key = certificate(folder, subject, expired=expired)
    of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    of_server.load_cert_chain(cert, key)
    of_client = ssl.create_default_context(cafile=str(cert) if trusted else None)
    async with raw_server(answering(http(200)), tls=of_server) as server:
        transport = Transport(
            server.url,
            headers=lambda: {"Authorization": "k"},
            now=lambda: datetime.now(UTC),
            limits=Limits(total_seconds=5.0),
            verify=of_client,
            observer=([] if seen is None else seen).append,
        )
        async with transport:
            outcome = await transport.send(CALL)
        assert isinstance(outcome, Applied) or server.requests == []
        return outcome


async def test_a_good_certificate_passes(tmp_path: Path) -> None:
    seen: list[CallSeen] = []
    assert isinstance(await outcome_of(tmp_path, "127.0.0.1", seen=seen), Applied)
    days_left = ((seen[0].certificate_expires_at or 0) - datetime.now(UTC).timestamp()) / 86_400
    assert 1.9 < days_left < 2.1


@pytest.mark.parametrize(
    ("subject", "expired", "trusted", "words"),
    [
        ("127.0.0.1", True, True, "expired"),
        ("other.example", False, True, "IP address mismatch"),
        ("127.0.0.1", False, False, "self-signed"),
    ],
)
async def test_f44_a_bad_certificate_means_not_sent_and_says_why(
    tmp_path: Path, subject: str, expired: bool, trusted: bool, words: str
) -> None:
    outcome = await outcome_of(tmp_path, subject, expired=expired, trusted=trusted)
    assert isinstance(outcome, NotSent)
    assert words in outcome.reason.replace("self signed", "self-signed")


async def test_f44_a_name_that_does_not_resolve_means_not_sent() -> None:
    transport = Transport("https://no-such-shop.invalid", headers=dict, now=lambda: datetime.now(UTC), limits=Limits())
    async with transport:
        outcome = await transport.send(CALL)
    assert isinstance(outcome, NotSent)
    assert "ConnectError" in outcome.reason
