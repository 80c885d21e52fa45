"""Pictures and licence of a site: published, named by its feeds, the operator's own taken as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flows.house import FEEDS_ONLY, House
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from publisher.errors import ConfigError
from publisher.feeds.check import check
from publisher.feeds.names import ATOM
from publisher.flows.pictures import _size
from publisher.pages import pictures

BASE = "https://news.example/"
LICENSE = "https://creativecommons.org/licenses/by/4.0/"
PNG = pictures.icon("#0b5f8a", 16)
WIDE = pictures.logo("#0b5f8a", 8)
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    b"\xff\xc0\x00\x11\x08" + (50).to_bytes(2, "big") + (100).to_bytes(2, "big") + bytes(20)
)
GIF = b"GIF89a" + bytes((144, 0, 144, 0)) + b"..."


def named(house: House) -> dict[str, str | None]:
    """What the three formats name, as paths of this site."""
    feeds = house.site / "feeds"
    atom = etree.fromstring((feeds / "all.atom").read_bytes())
    channel = etree.fromstring((feeds / "all.rss").read_bytes())[0]
    told = json.loads((feeds / "all.json").read_bytes())
    if channel.find("image") is not None:
        for name in ("title", "link"):
            assert channel.findtext(f"image/{name}") == channel.findtext(name)
    found = {
        "icon": atom.findtext(f"{{{ATOM}}}icon"),
        "logo": atom.findtext(f"{{{ATOM}}}logo"),
        "image": channel.findtext("image/url"),
        "json icon": told.get("icon"),
        "favicon": told.get("favicon"),
    }
    for kind in ("atom", "rss", "json"):
        content = (feeds / f"all.{kind}").read_bytes()
        assert check(kind, content, now=house.clock()) == []
    return {name: url and url.removeprefix(BASE) for name, url in found.items()}


def test_a_site_without_pictures_of_its_own_has_drawn_ones(house: House) -> None:
    house.publish(FEEDS_ONLY)
    drawn = {"icon": "assets/icon-256.png", "logo": "assets/logo.png", "image": "assets/icon-144.png"}
    assert named(house) == {**drawn, "json icon": drawn["icon"], "favicon": drawn["image"]}
    for path in drawn.values():
        assert (house.site / path).read_bytes().startswith(b"\x89PNG")
    (house.site / "assets/logo.png").unlink()
    _, report = house.publish(FEEDS_ONLY)
    assert report.site.written == ("assets/logo.png",)
    assert house.publish(FEEDS_ONLY)[1].site.written == ()


def test_the_operators_logo_and_icon_stand_on_every_page(house: House) -> None:
    house.publish(FEEDS_ONLY)
    page = house.site / "topics/environment/index.html"
    assert "<img" not in page.read_text().partition("</header>")[0]
    (house.root / "icon.png").write_bytes(PNG)
    (house.root / "logo.png").write_bytes(WIDE)
    house.rebuild(site={"icon": "icon.png", "logo": "logo.png"})
    house.publish(FEEDS_ONLY)
    head = page.read_text().partition("</header>")[0]
    assert '<img src="../../assets/logo.png" alt=""' in head
    assert '<link rel="icon" href="../../assets/icon.png">' in head
    assert b'<img src="/assets/logo.png" alt=""' in house.app.web_pages.message("A title", "A text")


def test_the_operators_pictures_take_the_place_of_drawn_ones(house: House) -> None:
    house.publish(FEEDS_ONLY)
    (house.root / "mine.GIF").write_bytes(GIF)
    house.rebuild(site={"icon": "mine.GIF"})
    _, report = house.publish(FEEDS_ONLY)
    assert {"assets/icon-256.png", "assets/icon-144.png", "assets/logo.png"} <= set(report.site.removed)
    icon = "assets/icon.gif"
    assert named(house) == {"icon": icon, "logo": None, "image": icon, "json icon": icon, "favicon": icon}
    assert (house.site / icon).read_bytes() == GIF
    (house.root / "wide.png").write_bytes(WIDE)
    house.rebuild(site={"icon": "mine.GIF", "logo": "wide.png"})
    house.publish(FEEDS_ONLY)
    assert named(house)["logo"] == "assets/logo.png"
    (house.root / "wide.png").write_bytes(WIDE + b"!")
    house.rebuild()
    assert house.publish(FEEDS_ONLY)[1].site.written == ("assets/logo.png",)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("none.png", None, "No such file"),
        ("page.png", b"<svg/>", "use PNG, GIF or JPEG"),
        ("icon.svg", b"<svg/>", "use PNG, GIF or JPEG"),
        ("large.png", PNG + bytes(1_000_000), "make it smaller"),
        ("cut.png", PNG[:20], "its size cannot be read; save it once more"),
        ("photo.jpg", JPEG, "100 x 50 pixels; make it square"),
        ("nothing.gif", GIF[:6] + bytes(4), "its size cannot be read"),
        ("wide.png", WIDE, "16 x 8 pixels; make it square"),
        ("high.png", pictures.icon("#0b5f8a", 145), "145 x 145 pixels; make it 144 x 144 or smaller"),
    ],
)
def test_a_picture_that_readers_cannot_show_is_refused_by_its_key(
    house: House, name: str, content: bytes | None, problem: str
) -> None:
    if content is not None:
        (house.root / name).write_bytes(content)
    house.rebuild(site={"icon": name})
    with pytest.raises(ConfigError, match=problem) as caught:
        house.publish(FEEDS_ONLY)
    assert caught.value.key == "site.icon"


def test_a_logo_that_is_not_twice_as_wide_as_high_is_refused(house: House) -> None:
    (house.root / "logo.png").write_bytes(PNG)
    house.rebuild(site={"logo": "logo.png"})
    with pytest.raises(ConfigError, match="16 x 16 pixels; make it twice as wide as high") as caught:
        house.publish(FEEDS_ONLY)
    assert caught.value.key == "site.logo"


def licence_links(content: bytes, html: bool = False) -> list[Any]:
    root = etree.fromstring(content, etree.HTMLParser() if html else None)
    return [link.get("href") for link in root.iter("a", f"{{{ATOM}}}link") if link.get("rel") == "license"]


def test_the_licence_is_linked_by_feeds_and_pages(house: House) -> None:
    house.rebuild(site={"license": LICENSE, "rights": "© 2026 Customs desk"})
    house.article("Waste")
    house.publish(FEEDS_ONLY)
    for path in ("feeds/all.atom", "feeds/all.rss"):
        assert licence_links((house.site / path).read_bytes()) == [LICENSE]
    assert licence_links((house.site / "index.html").read_bytes(), html=True) == [LICENSE]
    assert "© 2026 Customs desk" in (house.site / "index.html").read_text()
    house.rebuild(site={})
    house.publish(FEEDS_ONLY)
    assert licence_links((house.site / "feeds/all.atom").read_bytes()) == []


def test_no_picture_is_made_by_a_run_with_nothing_new(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.publish(FEEDS_ONLY)
    house.article("Waste")

    def drawn(_accent: str, _size: int) -> bytes:
        raise AssertionError

    monkeypatch.setattr("publisher.flows.pictures.pictures.icon", drawn)
    _, report = house.publish(FEEDS_ONLY)
    assert Path("feeds/all.atom").as_posix() in report.site.written


@given(st.sampled_from([PNG[:8], GIF[:6], b"\xff\xd8\xff"]), st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_a_size(start: bytes, rest: bytes) -> None:
    width, height = _size(start + rest)
    assert isinstance(width, int) and isinstance(height, int)
