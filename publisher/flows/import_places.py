"""Import by hand: the places named on the command line -> store. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Sequence

from publisher.errors import UsageError
from publisher.flows.filing import rename_topics
from publisher.flows.ingest import Ingest
from publisher.flows.reports import IngestReport
from publisher.flows.run import Parts
from publisher.flows.source_files import admission_of
from publisher.sources import Format, read

AUTO = "auto"


def import_places(parts: Parts, places: Sequence[str], form: str = AUTO) -> IngestReport:
    """Read `places` (files, folders, "-") into the store. `form` is auto, text, markdown or jsonl.

    Raises SourceError when a place cannot be read at all, before anything of any place is stored.
    """
    try:
        wanted = None if form == AUTO else Format(form)
    except ValueError:
        raise UsageError(f"{form!r} is not a format; use {AUTO}, text, markdown or jsonl") from None
    if not all(place.strip() for place in places):
        raise UsageError("an empty path; name a file or a folder")
    now = parts.clock()
    admission = admission_of(parts.settings, now)
    readers = [read(place, admission=admission, form=wanted) for place in places]
    ingest = Ingest(parts.store, classifier=parts.classifier, settings=parts.settings, now=now, mint_key=parts.mint_key)
    with parts.store.write() as tx:
        rename_topics(tx, parts.settings)
    for items in readers:
        ingest.take(items)
    return ingest.report()
