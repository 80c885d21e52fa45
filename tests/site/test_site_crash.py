"""Killed in the middle, out of space, two at once: each file is whole, old or new."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from publisher.errors import SiteError
from publisher.model import Document
from publisher.site import SiteFolder
from publisher.site.drafts import Drafts

NOW = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)

WRITE_FOR_EVER = """
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from publisher.model import Document
from publisher.site import SiteFolder

folder, known = SiteFolder(Path(sys.argv[1])), {}
for version in count():
    line = f"version {version:08} ".encode()
    documents = [Document(f"articles/a{n}/index.html", line * (200 + n)) for n in range(40)]
    report = folder.write(documents, known, datetime(2026, 3, 1, tzinfo=UTC))
    known |= {published.path: published for published in report.written}
    print(version, flush=True)
"""

WRITE_TOO_MUCH = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from publisher.errors import SiteError
from publisher.model import Document
from publisher.site import SiteFolder

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    documents = [Document("small.html", b"new"), Document("feeds/all.atom", b"new " * 10_000)]
    SiteFolder(Path(sys.argv[1])).write(documents, {}, datetime(2026, 3, 2, tzinfo=UTC))
except SiteError as error:
    print(error)
"""


def test_a_killed_process_leaves_each_file_whole_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    chance = random.Random(7)
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()  # the first version is complete
        time.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        process.wait()
        process.stdout.close()
        for n in range(40):
            file = tmp_path / f"articles/a{n}/index.html"
            for content in (file.read_bytes(), gzip.decompress(file.with_name("index.html.gz").read_bytes())):
                line = content[:17]
                assert content == line * (200 + n)
    SiteFolder(tmp_path).write([Document("index.html", b"x")], {}, NOW)
    assert [path.name for path in (tmp_path / ".drafts").iterdir()] == ["lock"]


def test_what_a_killed_process_left_is_cleaned(tmp_path: Path) -> None:
    (tmp_path / ".drafts").mkdir()
    (tmp_path / ".drafts/3").write_bytes(b"half a docu")
    SiteFolder(tmp_path).write([Document("index.html", b"x")], {}, NOW)
    assert [path.name for path in (tmp_path / ".drafts").iterdir()] == ["lock"]


def test_a_disk_that_takes_no_more_is_told_and_the_old_bytes_stay(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    folder.write([Document("feeds/all.atom", b"old"), Document("small.html", b"old")], {}, NOW)
    told = subprocess.run(
        [sys.executable, "-c", WRITE_TOO_MUCH, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "feeds/all.atom: the file would be larger than this process may write" in told.stdout
    assert told.stdout.count("\n") == 1
    assert (tmp_path / "feeds/all.atom").read_bytes() == b"old"
    assert (tmp_path / "small.html").read_bytes() == b"old"
    assert [path.name for path in (tmp_path / ".drafts").iterdir()] == ["lock"]


def test_a_second_writer_is_told_to_wait(tmp_path: Path) -> None:
    with Drafts(tmp_path), pytest.raises(SiteError, match="another process is writing"):
        SiteFolder(tmp_path).write([Document("index.html", b"x")], {}, NOW)
    assert len(SiteFolder(tmp_path).write([Document("index.html", b"x")], {}, NOW).written) == 1
