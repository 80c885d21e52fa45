"""A finding: what was looked at, how bad it is, what it means, what to do. Floor: pure, the lowest in `health`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    NOTICE = "notice"  # works, and could be better, or could not be looked at
    PROBLEM = "problem"  # readers or the operator will feel it


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` names what was looked at (``DKIM publisher``), `says` what was found, `advice` what to do, "" if well."""

    check: str
    level: Level
    says: str
    advice: str = ""


def well(check: str, says: str) -> Finding:
    return Finding(check, Level.OK, says)


def notice(check: str, says: str, advice: str) -> Finding:
    return Finding(check, Level.NOTICE, says, advice)


def problem(check: str, says: str, advice: str) -> Finding:
    return Finding(check, Level.PROBLEM, says, advice)


def worst(findings: Iterable[Finding]) -> Level:
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)
