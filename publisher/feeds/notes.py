"""What feeds say about an article besides its text: that it was corrected, that it was withdrawn. Floor: in `feeds`."""

from __future__ import annotations

import html
from datetime import datetime, tzinfo

from publisher.cleantext import clean_line
from publisher.model import Article

# not strftime: its month names follow the locale of the process
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def day(moment: datetime, zone: tzinfo) -> str:
    """``3 March 2026``, the day that it is in `zone`."""
    there = moment.astimezone(zone)
    return f"{there.day} {_MONTHS[there.month - 1]} {there.year}"


def correction(article: Article, zone: tzinfo) -> str:
    """The note that stands above the text of a corrected article, as HTML; empty where there is nothing to say."""
    if article.corrected is None:
        return ""
    words = html.escape(clean_line(article.correction), quote=False)
    return f"<p><strong>Corrected on {day(article.corrected, zone)}.</strong>{words and ' ' + words}</p>\n"


def withdrawal(article: Article, zone: tzinfo) -> tuple[str, str]:
    """What stands in the place of a withdrawn article: its title and its one paragraph, both plain text."""
    if article.withdrawn is None:
        raise ValueError(f"article {article.key} was not withdrawn")
    reason = clean_line(article.withdrawal)
    text = f"This article was withdrawn on {day(article.withdrawn, zone)}."
    return f"Withdrawn: {clean_line(article.title)}", f"{text} {reason}" if reason else text
