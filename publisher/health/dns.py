"""What the DNS says of the sender's domain: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489). Floor: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from publisher.health.findings import Finding, notice, problem, well


@dataclass(frozen=True, slots=True)
class Texts:
    """The TXT records of a name, each in one piece; `problem`: why they could not be asked for, "" if they were."""

    name: str
    records: Sequence[str] = ()
    problem: str = ""


def spf(found: Texts) -> Finding:
    """`found`: the records of the domain that bounces go to (the envelope sender's), which SPF is about."""
    check = "SPF"
    if found.problem:
        return _unasked(check, found)
    records = [record for record in found.records if re.match(r"v=spf1( |$)", record, re.IGNORECASE)]
    advice = f"publish a TXT record at {found.name} that names your relay, e.g. v=spf1 include:<your relay's name> -all"
    if not records:
        return problem(
            check, f"{found.name} has no SPF record: mail providers cannot tell your relay from others", advice
        )
    if len(records) > 1:
        return problem(
            check, f"{found.name} has {len(records)} SPF records: that counts as an error", "keep one of them"
        )
    words = records[0].lower().split()
    if "+all" in words or "all" in words:
        return problem(check, f"the SPF record of {found.name} lets everybody send for you (+all)", "end it with -all")
    if not any(word.endswith("all") or word.startswith("redirect=") for word in words):
        return notice(
            check, f"the SPF record of {found.name} says nothing of other senders", "end it with -all or ~all"
        )
    return well(check, f"{found.name}: {records[0]}")


def dkim(selector: str, expected: str, found: Texts) -> Finding:
    """`expected`: the record that belongs to our key."""
    check = f"DKIM {selector}"
    if found.problem:
        return _unasked(check, found)
    advice = "publish what `publisher dkim record` prints"
    ours = _tags(expected)
    records = [_tags(record) for record in found.records]
    keys = [record for record in records if "p" in record]
    if not keys:
        return problem(check, f"{found.name} has no key: no signature of your letters can be verified", advice)
    if any(record["p"] == ours["p"] for record in keys):
        if len(keys) > 1:
            return problem(check, f"{found.name} has {len(keys)} keys: which one counts is chance", "keep ours alone")
        return well(check, f"{found.name} is the public half of our key")
    if any(not record["p"] for record in keys):
        return problem(check, f"the key at {found.name} was revoked (p= is empty)", advice)
    return problem(check, f"{found.name} holds another key than ours: every signature fails", advice)


def unsigned(domain: str) -> Finding:
    """No selector is set."""
    return notice(
        "DKIM",
        f"letters are not signed here; does your relay sign them for {domain}?",
        "if not: `publisher dkim new`, publish the record, set dkim.selector (docs/dkim.md)",
    )


def dmarc(found: Iterable[Texts]) -> Finding:
    """`found`: the records at ``_dmarc.`` of the sender's domain, then of those above it."""
    check, asked = "DMARC", list(found)
    for texts in asked:
        records = [record for record in texts.records if re.match(r"v=DMARC1 *(;|$)", record, re.IGNORECASE)]
        if len(records) > 1:
            return problem(check, f"{texts.name} has {len(records)} DMARC records: then none counts", "keep one")
        if records:
            policy = _tags(records[0]).get("p", "")
            if policy not in {"none", "quarantine", "reject"}:
                return problem(check, f"{texts.name} names no policy", "write p=none, p=quarantine or p=reject")
            return well(check, f"{texts.name}: policy {policy}")
    unasked = next((texts for texts in asked if texts.problem), None)
    if unasked is not None:
        return _unasked(check, unasked)
    name = asked[0].name
    return problem(
        check,
        f"there is no record at {name}: large mail providers refuse or hide bulk mail without one",
        f"publish a TXT record at {name}, to begin with: v=DMARC1; p=none",
    )


def _unasked(check: str, found: Texts) -> Finding:
    return notice(check, f"{found.name} could not be looked up: {found.problem}", "check the name server, try again")


def _tags(record: str) -> dict[str, str]:
    """The tags of a record (RFC 6376, 3.2), white space within values taken out."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): "".join(value.split()) for name, sign, value in pairs if sign}
