"""The log, loaded when there is something to say. Floor: `flows`.

structlog brings rich with it, which is a tenth of a command's start; most runs have nothing to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from publisher.logs import ready

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


def log(room: str) -> FilteringBoundLogger:
    """The log of ``publisher.<room>``."""
    import structlog  # noqa: PLC0415

    if not structlog.is_configured():
        ready()
    found: Any = structlog.get_logger(f"publisher.{room}")
    bound: FilteringBoundLogger = found
    return bound
