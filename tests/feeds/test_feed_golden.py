"""Exact bytes of a fixed small site, the same on every machine and in every run.

After a change that is meant, renew the files with ``UPDATE_GOLDEN=1 pytest tests/feeds/test_feed_golden.py`` and read
their difference before committing it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from feed_samples import ASIA, ENVIRONMENT, FIXED, NOW, SITE, feed_of

from publisher.feeds import atom, jsonfeed, opml, rss
from publisher.feeds.grammar import check_atom

GOLDEN = Path(__file__).parent.parent / "golden"
DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "atom-environment.xml": lambda: atom.render(feed_of(*FIXED)),
    "rss-environment.xml": lambda: rss.render(feed_of(*FIXED), ttl_minutes=30),
    "jsonfeed-environment.json": lambda: jsonfeed.render(feed_of(*FIXED)),
    "feeds.opml": lambda: opml.render([ENVIRONMENT, ASIA], SITE, feed_of(*FIXED).updated),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_fixed_site_has_exactly_these_bytes(name: str) -> None:
    content = DOCUMENTS[name]()
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.joinpath(name).write_bytes(content)
    assert content == GOLDEN.joinpath(name).read_bytes()
    assert content == DOCUMENTS[name]()


def test_the_golden_atom_feed_keeps_every_rule() -> None:
    content = GOLDEN.joinpath("atom-environment.xml").read_bytes()
    assert check_atom(content, self_url="https://customs.example/feeds/environment.atom", now=NOW) == []


@pytest.mark.parametrize(
    ("zone", "locales", "seed"), [("Asia/Tokyo", ("fr_FR.UTF-8", "fr_FR.utf8", "C.UTF-8"), "1"), ("UTC", ("C",), "2")]
)
def test_zone_locale_and_hash_seed_of_the_machine_change_no_byte(
    zone: str, locales: tuple[str, ...], seed: str
) -> None:
    script = (
        "import locale, sys\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        locale.setlocale(locale.LC_ALL, name)\n"
        "        break\n"
        "    except locale.Error:\n"
        "        continue\n"
        "else:\n"
        "    raise SystemExit('no locale')\n"
        "from test_feed_golden import DOCUMENTS\n"
        "sys.stdout.buffer.write(b''.join(document() for document in DOCUMENTS.values()))\n"
    )
    environment = {
        "PATH": os.environ["PATH"],
        "TZ": zone,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)]),
    }
    run = subprocess.run([sys.executable, "-c", script, *locales], env=environment, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    assert run.stdout == b"".join(GOLDEN.joinpath(name).read_bytes() for name in DOCUMENTS)


def test_the_room_itself_imports_no_writer() -> None:
    script = "import sys, publisher.feeds; assert not {'feedgen', 'lxml', 'nh3'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
