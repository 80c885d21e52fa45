"""Who may change things, and the record of who did. Floor: `model`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What an API token may do. One to write is one to read, too."""

    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    ARTICLES_READ = "articles:read"
    ARTICLES_WRITE = "articles:write"
    SUBSCRIBERS_READ = "subscribers:read"
    SUBSCRIBERS_WRITE = "subscribers:write"
    SUBSCRIBERS_VOUCH = "subscribers:vouch"  # add readers without a confirmation letter
    ISSUES_READ = "issues:read"
    ISSUES_WRITE = "issues:write"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A key to the API. Its secret is shown once, when it is made; only a hash of it is kept."""

    id: int
    name: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None = None
    last_used: datetime | None = None
    revoked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One change by a person or a program: `who` is an operator's name or ``token NAME``. No address stands in it."""

    id: int
    at: datetime
    who: str
    action: str
    subject: str
    detail: str = ""
