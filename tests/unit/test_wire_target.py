"""Where calls may go."""

import pytest

from app.wire.target import (
    ForeignLink,
    WrongAddress,
    base_origin,
    is_acceptable_peer,
    path_part,
    resolved,
)

BASE_URL = "https://shop.mirakl.example"
BASE = base_origin(BASE_URL)
FILES = frozenset({"files.example", "127.0.0.1"})


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.mirakl.example",
        "ftp://shop.mirakl.example",
        "shop.mirakl.example",
        "https://",
        "https://user:secret@shop.mirakl.example",
        "https://shop.mirakl.example?key=secret",
        "https://shop.mirakl.example:99999",
        "https://[::1",
    ],
)
def test_a_base_address_must_be_https_and_bare(url: str) -> None:
    with pytest.raises(WrongAddress):
        base_origin(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1"])
def test_loopback_may_go_without_https(url: str) -> None:
    assert base_origin(url).is_loopback


@pytest.mark.parametrize(
    ("target", "is_own"),
    [
        ("/api/version", True),
        ("https://shop.mirakl.example/x", True),
        ("https://shop.mirakl.example:443/x", True),
        ("https://SHOP.mirakl.example/x", True),
        ("https://files.example/x", False),
        ("https://files.example:8443/x", False),
    ],
)
def test_followed(target: str, is_own: bool) -> None:
    url, own = resolved(target, BASE_URL, BASE, FILES)
    assert own is is_own
    assert url.startswith("https://")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://shop.mirakl.example.evil.example/",
        "https://shop.mirakl.example@evil.example/",
        "https://key@shop.mirakl.example/",
        "https://shop.mirakl.example:444/",
        "http://shop.mirakl.example/",
        "http://files.example/x",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "//evil.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "",
        "relative/path",
        "https://[::1",
        "https://files.example:port/",
    ],
)
def test_not_followed(target: str) -> None:
    with pytest.raises(ForeignLink):
        resolved(target, BASE_URL, BASE, FILES)


@pytest.mark.parametrize(
    ("address", "public", "private_allowed", "from_loopback"),
    [
        (("93.184.216.34", 443), True, True, False),
        (("2606:2800:220:1::1", 443, 0, 0), True, True, False),
        (("10.0.0.7", 443), False, True, False),
        (("169.254.169.254", 443), False, True, False),
        (("127.0.0.1", 443), False, True, True),
        (("::1", 443, 0, 0), False, True, True),
        (("fe80::1%eth0", 443, 0, 2), False, True, False),
        (("224.0.0.1", 443), False, True, False),
        ("/run/socket", False, False, False),
        (None, False, False, False),
        ((), False, False, False),
    ],
)
def test_peers(address: object, public: bool, private_allowed: bool, from_loopback: bool) -> None:
    local = base_origin("http://127.0.0.1:1")
    assert is_acceptable_peer(address, BASE, allow_private=False) is public
    assert is_acceptable_peer(address, BASE, allow_private=True) is private_allowed
    assert is_acceptable_peer(address, local, allow_private=True) is from_loopback


@pytest.mark.parametrize(
    ("value", "part"), [("a b", "a%20b"), ("a/b?c#d", "a%2Fb%3Fc%23d"), ("..", "%2E%2E"), ("é", "%C3%A9")]
)
def test_an_id_is_one_part_of_a_path(value: str, part: str) -> None:
    assert path_part(value) == part
