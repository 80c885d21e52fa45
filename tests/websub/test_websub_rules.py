"""What a hub decides: whom it may call, what it takes, what it signs, when it tries again."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import HubError
from publisher.websub.addresses import is_public
from publisher.websub.callback import parse_callback, refused_address
from publisher.websub.exchange import Answer, Taken, is_confirmed, is_given_up, link_header, signature, wait_after
from publisher.websub.pace import OVERALL, PER_HOST, WINDOW, Pace
from publisher.websub.request import MIN_LEASE_S, HubMode, granted_lease, parse_body, parse_wish

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
DAY_S = 24 * 3600
GOOD = {"hub.mode": "subscribe", "hub.callback": "https://reader.example/cb", "hub.topic": "https://x.example/f.atom"}


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::1", "1.1.1.1"])
def test_machines_on_the_internet_are_called(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "192.0.0.8", "192.0.0.170", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
        *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::a00:1"),
        *("2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff0e::1"),
        *("100::1", "5f00::1", "fe80::1%eth0", "2606:4700::1111%eth0"),
        *("", "localhost", "127.1", "0x7f000001", "2130706433", "8.8.8.8 ", "8.8.8.8/32"),
    ],
)
def test_no_other_machine_is_called(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=6, network="fc00::/7"))
def test_no_private_address_passes_for_public_in_any_form(address: object) -> None:
    assert not is_public(str(address))


@given(st.ip_addresses(v=4))
def test_no_ipv6_form_that_holds_an_ipv4_address_is_called(address: object) -> None:
    number = int(address)  # type: ignore[call-overload]
    for network in ("::ffff:0:0/96", "64:ff9b::/96", "::/96"):
        base = ip_network(network)
        assert isinstance(base, IPv6Network)
        assert not is_public(str(base[number]))
    assert not is_public(str(IPv6Network("2002::/16")[number << 80]))
    assert IPv4Network(f"{address}/32")


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        ([], "no address"),
        (["8.8.8.8", "127.0.0.1"], "private network"),
        (["2606:4700::1111", "::1"], "private network"),
        (["8.8.8.8", "2606:4700::1111"], ""),
    ],
)
def test_one_address_that_is_not_public_spoils_a_name(addresses: list[str], reason: str) -> None:
    assert (reason in refused_address(addresses, allow_private=False)) and bool(reason) == bool(
        refused_address(addresses, allow_private=False)
    )
    assert bool(refused_address(addresses, allow_private=True)) == (not addresses)


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://reader.example/cb?k=1", "reader.example", 443, "/cb?k=1", "reader.example"),
        ("http://Reader.Example", "reader.example", 80, "/", "reader.example"),
        ("http://reader.example:443/a%20b", "reader.example", 443, "/a%20b", "reader.example:443"),
        ("https://[2606:4700::1111]/cb", "2606:4700::1111", 443, "/cb", "[2606:4700::1111]"),
        ("https://8.8.8.8/p;x=1/cb", "8.8.8.8", 443, "/p;x=1/cb", "8.8.8.8"),
    ],
)
def test_a_callback_is_taken_apart(url: str, host: str, port: int, target: str, authority: str) -> None:
    callback = parse_callback(url)
    assert (callback.host, callback.port, callback.target, callback.authority) == (host, port, target, authority)


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://reader.example/", "//reader.example/", "file:///etc/passwd", "gopher://reader.example/", "https://"),
        *("https://user@reader.example/", "https://user:pw@reader.example/", "https://reader.example/#part"),
        *(
            "https://reader.example/a b",
            "https://reader.example/\r\nX: y",
            "https://reader.example/é",
            "http://é.example/",
        ),
        *("https://reader.example:22/", "https://reader.example:99999/", "https://reader.example:x/"),
        *(
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://10.0.0.1/",
            "http://[fe80::1%25e]/",
        ),
        *(
            "http://exa\\mple.example/",
            "https://reader.example/<x>",
            "https://" + "a" * 2000 + "/",
            "https://-a.example/",
        ),
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_a_callback_that_leads_elsewhere_is_refused_with_its_reason(url: str) -> None:
    with pytest.raises(HubError, match=r"hub\.callback") as refusal:
        parse_callback(url)
    assert refusal.value.status == 400


def test_an_intranet_may_have_callbacks_on_any_port_and_in_private_networks() -> None:
    assert parse_callback("http://10.0.0.1:8080/cb", allow_private=True).authority == "10.0.0.1:8080"


@pytest.mark.parametrize(
    ("url", "path"),
    [("https://r.example/cb", "/cb"), ("https://r.example/cb?k=1", "/cb"), ("https://r.example?k=1&", "/")],
)
def test_the_query_of_a_callback_is_kept_beside_the_fields_of_the_hub(url: str, path: str) -> None:
    target = urlsplit(parse_callback(url).with_query(topic="https://x.example/f?a=b&c", challenge="x+/="))
    assert target.path == path
    fields = parse_qs(target.query, strict_parsing=True)
    assert fields.pop("k", ["1"]) == ["1"]
    assert fields == {"hub.topic": ["https://x.example/f?a=b&c"], "hub.challenge": ["x+/="]}


def test_a_request_like_that_of_an_old_reader_is_understood() -> None:
    body = urlencode({**GOOD, "hub.verify": "sync", "hub.verify_token": "t", "unknown": "x"}).encode()
    wish = parse_wish(parse_body(body), lease_days=10)
    assert (wish.mode, wish.callback.url, wish.secret, wish.lease_s) == (
        HubMode.SUBSCRIBE,
        GOOD["hub.callback"],
        None,
        10 * DAY_S,
    )


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"hub.mode": ""}, 400, "hub.mode"),
        ({"hub.mode": "listen"}, 400, "hub.mode"),
        ({"hub.mode": "publish"}, 403, "its own site"),
        ({"hub.callback": ""}, 400, "hub.callback is missing"),
        ({"hub.topic": ""}, 400, "hub.topic is missing"),
        ({"hub.secret": "s" * 200}, 400, "hub.secret"),
        ({"hub.secret": "é" * 100}, 400, "hub.secret"),
        ({"hub.lease_seconds": "soon"}, 400, "hub.lease_seconds"),
        ({"hub.lease_seconds": "-1"}, 400, "hub.lease_seconds"),
        ({"hub.lease_seconds": "٣"}, 400, "hub.lease_seconds"),
    ],
)
def test_a_request_that_does_not_hold_is_refused_with_its_reason(
    changes: dict[str, str], status: int, reason: str
) -> None:
    with pytest.raises(HubError, match=reason) as refusal:
        parse_wish({**GOOD, **changes}, lease_days=10)
    assert refusal.value.status == status


def test_a_secret_of_199_bytes_is_taken_and_never_shown() -> None:
    wish = parse_wish({**GOOD, "hub.secret": "s" * 199}, lease_days=10)
    assert wish.secret == "s" * 199
    assert "sss" not in repr(wish)


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%ff", b"&".join(b"a=1" for _ in range(51))])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(HubError):
        parse_body(body)


@given(st.text("0123456789", max_size=5000), st.integers(1, 365))
def test_every_lease_ends(asked: str, days: int) -> None:
    assert MIN_LEASE_S <= granted_lease(asked, lease_days=days) <= days * DAY_S


@pytest.mark.parametrize(("asked", "granted"), [("", 864000), ("0", 864000), ("86400", 86400), ("1", MIN_LEASE_S)])
def test_a_lease_is_what_was_asked_within_bounds(asked: str, granted: int) -> None:
    assert granted_lease(asked, lease_days=10) == granted


@given(st.text(min_size=1).filter(lambda text: text.isprintable()), st.binary())
def test_a_signature_is_the_hmac_that_subscribers_compute(secret: str, content: bytes) -> None:
    assert signature(secret, content) == "sha256=" + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [
        (Answer(200, b"word"), True),
        (Answer(204, b"word"), True),
        (Answer(200, b"word\n"), False),
        (Answer(200, b""), False),
        (Answer(302, b"word"), False),
        (Answer(404, b"word"), False),
        (Answer(0, b"word"), False),
    ],
)
def test_only_the_challenge_itself_confirms(answer: Answer, confirmed: bool) -> None:
    assert is_confirmed(answer, "word") is confirmed


@pytest.mark.parametrize(
    ("status", "taken"),
    [(200, Taken.ACCEPTED), (202, Taken.ACCEPTED), (299, Taken.ACCEPTED), (410, Taken.GONE)]
    + [(status, Taken.FAILED) for status in (0, 199, 301, 307, 400, 404, 429, 500)],
)
def test_what_an_answer_means(status: int, taken: Taken) -> None:
    assert Answer(status).taken is taken


def test_a_feed_names_each_hub_and_exactly_one_self() -> None:
    header = link_header("https://x.example/f.atom", ["https://a.example/", "https://b.example/"])
    assert (
        header
        == '<https://a.example/>; rel="hub", <https://b.example/>; rel="hub", <https://x.example/f.atom>; rel="self"'
    )


def test_waits_double_up_to_four_hours_and_end_after_about_two_days() -> None:
    waits = [wait_after(attempt) for attempt in range(1, 21)]
    assert waits[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert waits[-1] == wait_after(10_000) == timedelta(hours=4)
    assert not is_given_up(19)
    assert is_given_up(20)
    assert timedelta(days=1) < sum(waits[:19], timedelta()) < timedelta(days=2)


def test_one_host_cannot_take_more_than_its_part_of_a_minute() -> None:
    pace = Pace()
    assert [pace.admits("a.example", NOW) for _ in range(PER_HOST + 1)] == [True] * PER_HOST + [False]
    assert pace.admits("b.example", NOW)
    assert pace.admits("a.example", NOW + WINDOW)


def test_all_hosts_together_cannot_take_more_than_the_whole() -> None:
    pace = Pace()
    taken = [pace.admits(f"h{number}.example", NOW) for number in range(OVERALL + 5)]
    assert taken == [True] * OVERALL + [False] * 5
    assert not pace.admits("late.example", NOW + WINDOW - timedelta(seconds=1))
    assert pace.admits("late.example", NOW + WINDOW)
