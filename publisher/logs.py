"""The log: lines for people or for programs, on standard error, with the run's number and without addresses.

Floor: beside `clock`. structlog is loaded with the first line, for most commands never say one.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

RUN: ContextVar[int | None] = ContextVar("publisher_run", default=None)
"""The number of the run that the present task works for."""

_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]"
# From the beginning of a word, and without a second look at it: paths and answers are as long as strangers like.
_ADDRESS = re.compile(rf"(?<!{_LOCAL}){_LOCAL}++@[\w-]++(\.[\w-]++)+")
_chosen = {"format": "auto", "level": "info"}

Line = MutableMapping[str, Any]


def choose(*, format: str, level: str) -> None:
    """How lines look from the next one on: `format` auto, json or human; `level` debug, info, warning or error."""
    _chosen.update(format=format, level=level)
    if "structlog" in sys.modules:
        ready()


def ready() -> None:
    """Set structlog up as it was chosen; what libraries log goes the same way."""
    import structlog  # noqa: PLC0415

    level = logging.getLevelNamesMapping()[_chosen["level"].upper()]
    json = _chosen["format"] == "json" or (_chosen["format"] == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _with_run,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    if json:
        last: list[Any] = [
            structlog.processors.format_exc_info,
            without_addresses,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        looks = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time", sort_keys=False)
        last = [structlog.processors.format_exc_info, without_addresses, looks]
    structlog.configure(
        processors=[_with_room, *shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Out,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    format_ = structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        format_(foreign_pre_chain=[*shared, _with_name], processors=[format_.remove_processors_meta, *last])
    )
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not getattr(one, "publisher", False)]
    handler.publisher = True  # type: ignore[attr-defined]
    root.addHandler(handler)


class _Out:
    """Writes to standard error as it is at that moment."""

    def __init__(self, room: str = "publisher") -> None:
        self.room = room

    def msg(self, message: str) -> None:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = msg


def _with_room(logger: Any, _: str, line: Line) -> Line:
    return {"logger": getattr(logger, "room", "publisher"), **line}


def _with_name(logger: Any, _: str, line: Line) -> Line:
    return {"logger": logger.name if logger else "", **line}


def _with_run(_: Any, __: str, line: Line) -> Line:
    run = RUN.get()
    if run is not None:
        line.setdefault("run", run)
    return line


def without_addresses(_: Any, __: str, line: Line) -> Line:
    """No address leaves by the log, whatever a text brings: a relay's answer, a library's message."""
    return {name: bare(value) if isinstance(value, str) else value for name, value in line.items()}


def bare(text: str) -> str:
    """`text` with every address in it taken out."""
    return _ADDRESS.sub("<address>", text)
