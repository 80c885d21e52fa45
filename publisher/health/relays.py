"""What a relay offers, and whether it lets us in. Floor: pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from publisher.health.findings import Finding, notice, problem, well

LARGE_LETTER = 500_000
"""Bytes: a relay that takes less may refuse an issue with many articles and a long list of topics."""


@dataclass(frozen=True, slots=True)
class RelayFacts:
    """`trouble`: why there was no session, in one line with its stage; else what was offered. `size` 0: no limit
    told. `secure`: the connection was encrypted, or stayed on this machine."""

    name: str
    where: str
    trouble: str = ""
    secure: bool = True
    logged_in: bool = False
    pipelining: bool = False
    eight_bit: bool = False
    size: int | None = None


def relay(facts: RelayFacts) -> Iterator[Finding]:
    check = f"relay {facts.name}"
    if facts.trouble:
        yield problem(check, facts.trouble, f"mend it before the next issue; see [{facts.name}] in config.toml")
        return
    how = ("logged in" if facts.logged_in else "no login asked for") + ("" if facts.secure else ", not encrypted")
    yield well(check, f"{facts.where}: connected, {how}")
    if not facts.secure:
        yield notice(check, "letters go to it in clear text, with the addresses of readers", "use starttls or tls")
    if not facts.pipelining:
        yield notice(
            check, "it offers no PIPELINING: four round trips a letter instead of one", "ask for it if sending is slow"
        )
    if not facts.eight_bit:
        yield problem(check, "it offers no 8BITMIME: letters in other than ASCII are refused", "use another relay")
    if facts.size is None:
        yield notice(check, "it does not say how large a letter may be (SIZE)", "send a test: `publisher digest test`")
    elif 0 < facts.size < LARGE_LETTER:
        yield notice(
            check, f"it takes letters up to {facts.size:,} bytes", "ask for more, or lower digest.max_articles"
        )


def outbox(folder: str) -> Finding:
    return notice(
        "relay", f"no relay is set: letters are kept in {folder}", "set smtp.host when readers shall get them"
    )
