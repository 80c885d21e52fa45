"""The log of a whole journey: one object a line, the run's number in it, and no address anywhere."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from flows.house import House, relay_settings, relay_thread

from publisher import logs, schedule
from publisher.flows.late_log import log


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("uvicorn", "uvicorn.error"):  # as another test's server may have left them
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "handlers", [])
        monkeypatch.setattr(logger, "propagate", True)
        monkeypatch.setattr(logger, "disabled", False)
        logger.setLevel(logging.NOTSET)
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not getattr(one, "publisher", False)]
    logs.choose(format="auto", level="info")
    structlog.reset_defaults()


def test_the_log_of_a_journey_names_its_runs_and_no_reader(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    logs.choose(format="json", level="debug")
    logs.ready()
    house.article("Waste")
    house.reader("alice")
    with relay_thread() as relay:
        house.rebuild(smtp=relay_settings(relay))
        relay.rcpt["alice@readers.example"] = "550 5.1.1 <alice@readers.example> unknown here"
        table = {line.name: line for line in schedule.lines(house.app, asyncio.Event())}
        asyncio.run(table["feeds"].work())
        house.publish()
        asyncio.run(table["feeds"].work())

        async def say() -> None:
            token = logs.RUN.set(7)
            log("run").warning("relay.said", reply="550 <bob@readers.example> no such user")
            await asyncio.to_thread(log("run").error, "from.a.thread")
            logs.RUN.reset(token)

        asyncio.run(say())
        logging.getLogger("uvicorn.error").error("refused %s", "carol@readers.example")
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in err.splitlines()]
    assert out == "" and "readers.example" not in err
    assert [line["run"] for line in lines if line["event"] == "run.done"] == [1, 3]
    assert [line["run"] for line in lines if line["event"] in {"relay.said", "from.a.thread"}] == [7, 7]
    assert {"time", "level", "logger", "event"} <= set(lines[-1]) and lines[-1]["event"] == "refused <address>"


def test_a_path_of_a_megabyte_keeps_nobody_waiting() -> None:
    """Looked at from each of its letters it would take hours; anybody can ask for it."""
    path = "/" + "a" * 1_000_000
    assert logs.bare(f"GET {path} for bob@readers.example") == f"GET {path} for <address>"
    assert logs.bare("a" * 1_000_000 + "@readers.example") == "<address>"


def test_people_get_a_line_they_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    logs.choose(format="human", level="warning")
    logs.ready()
    log("run").info("not.this")
    log("run").warning("run.lost", run=3)
    err = capsys.readouterr().err
    assert "run.lost" in err and "run=3" in err and "not.this" not in err and "\x1b" not in err
