"""Markup that can be trusted: sanitised HTML, plain text of it, excerpts. Floor: above `cleantext`."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape

import nh3

from publisher.cleantext import allowed, clean_line, clean_text, cut

# --- HTML -------------------------------------------------------------------------------------------------------


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_RENAMED = {
    "h1": "h2",  # the page's own heading is the article's title
    "b": "strong",
    "i": "em",
    "strike": "s",
    "tt": "code",
    # dropping these would join the words around them
    **dict.fromkeys(_tags("section article main header footer aside nav hgroup center address details summary"), "div"),
    **dict.fromkeys(_tags("form fieldset"), "div"),
    "bdi": "span",  # with a direction, a span is just as isolated, and older readers of feeds know it
    "bdo": "span",
}
_BLOCKS = _tags("p div h2 h3 h4 h5 h6 ul ol li dl dt dd blockquote pre hr figure figcaption table caption tr")
_KEPT = _BLOCKS | _tags(
    "a abbr br cite code del em img ins kbd mark q s samp small span strong sub sup var thead tbody tfoot th td"
)
_DROPPED_WHOLE = _tags(
    "script style title noscript iframe object template textarea select button svg math audio video canvas"
)
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_OF_ALL = {"dir", "lang"}  # of which language a text is, and where it begins
_LINK = re.compile(r"https?://[^\s/?#\\]\S*|mailto:[^\s@]+@\S+", re.IGNORECASE)
_IMAGE = re.compile(r"https?://[^\s/?#\\]\S*", re.IGNORECASE)
_VALUES = {
    "dir": re.compile(r"ltr|rtl|auto", re.IGNORECASE),
    "lang": re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,6}"),  # BCP 47
    **dict.fromkeys(("start", "colspan", "rowspan"), re.compile(r"[0-9]{1,4}")),
}

# What nh3 writes: text and attributes are escaped, so tags and text cover it without rest.
_TAG = r'<(/?)({})((?: [a-z]+="[^"]*")*)>'
_ANY_NAME = "[a-z][a-z0-9]*"
_TOKEN = re.compile(rf"<p>([^<]*)</p>(\s*)|{_TAG.format(_ANY_NAME)}|([^<]+)")  # a paragraph of text alone is one token
_TAG_TO_REWRITE = re.compile(
    _TAG.format(rf"(?:{'|'.join(sorted(_RENAMED.keys() | _ATTRIBUTES.keys() | {'span'}))})(?=[ >])|{_ANY_NAME}(?= )")
)
_TAG_OR_TEXT = re.compile(rf"({_TAG.format(_ANY_NAME)})|[^<]+")
_AFTER_PRE = re.compile(r"(<pre>)\n+")
_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)[^<>]*+>")  # of text that nobody cleaned: each character once
_EMPTY_BLOCK = re.compile(r"<(p|div)>(?:\s|&nbsp;)*</\1>")
_EMPTY_BLOCKS = re.compile(r"(?<!\s)(?:\s*+<(p|div)>(?:\s|&nbsp;)*</\1>)+\s*+")  # a row of blanks is begun once
_CLOSE_THEMSELVES = _tags("p li dt dd tr td th thead tbody tfoot br hr img input meta link b i em strong a")

MAX_DEPTH = 200
"""Elements inside each other; parsing takes time by the square of it. Markup beyond it is kept as text only."""

_MAX_ROUNDS = 8


def sanitise(html: str, base_url: str | None = None) -> str:
    """The part of `html` that an article may consist of, well nested; `sanitise(sanitise(x)) == sanitise(x)`.

    Kept: paragraphs, h2 to h6 (h1 becomes h2), lists, quotes, emphasis, code, tables, figures, links to http, https
    and mailto, images with an absolute http(s) address, languages and directions (`lang`, `dir`). Relative addresses
    are made absolute with `base_url` (http or https), without it the link becomes its text and the image goes. No
    class, style, id, script or form.
    """
    html = allowed(html)
    if _depth(html) > MAX_DEPTH:
        return from_text(entities.unescape(_ANY_TAG.sub(" ", html)))
    cleaner = _cleaner(base_url)
    # Taking an element out can leave a paragraph inside a paragraph, which the next parser reads in another way than
    # the last one wrote it. Clean is what parses to itself.
    for _ in range(_MAX_ROUNDS):
        result = _rewritten(cleaner.clean(html))
        if result == html:
            return result
        html = result
    return from_text(to_plain(html))


@lru_cache(maxsize=16)  # making one takes as long as cleaning an article
def _cleaner(base_url: str | None) -> nh3.Cleaner:
    def cleaner(relative: nh3.UrlRelative) -> nh3.Cleaner:
        return nh3.Cleaner(
            tags=_KEPT | _RENAMED.keys(),
            clean_content_tags=_DROPPED_WHOLE,
            attributes={**_ATTRIBUTES, "*": _OF_ALL},
            url_schemes={"http", "https", "mailto"},
            url_relative=relative,
            link_rel=None,
        )

    if base_url and _IMAGE.fullmatch(base_url):
        try:
            return cleaner(("rewrite_with_base", base_url))
        except ValueError:
            pass  # an address that no parser accepts is as good as none
    return cleaner("deny")


def _depth(html: str) -> int:
    depth = deepest = 0
    for end, tag in _ANY_TAG.findall(html):
        if tag.lower() in _CLOSE_THEMSELVES:
            continue
        depth = max(depth - 1, 0) if end else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _rewritten(html: str) -> str:
    """One pass over what nh3 wrote: names, attributes and characters as promised by `sanitise`."""
    bare: dict[str, list[bool]] = {"a": [], "span": []}  # of those that are open: it lost what it was there for

    def rewritten(match: re.Match[str]) -> str:
        end, name, attributes = match.groups()
        tag = _RENAMED.get(name, name)
        if end:
            return "" if tag in bare and bare[tag].pop() else f"</{tag}>"
        values = dict(_ATTRIBUTE.findall(attributes))
        if name == "bdi" and not _VALUES["dir"].fullmatch(values.get("dir", "")):
            values["dir"] = "auto"
        kept = _kept_attributes(tag, values)
        if tag in bare:
            bare[tag].append(kept is None)
        return "" if kept is None else f"<{tag}{kept}>"

    if clean_text(html) != html:
        html = _TAG_OR_TEXT.sub(lambda match: match[1] or clean_text(match[0]), html)
    html = _TAG_TO_REWRITE.sub(rewritten, html)
    html = _AFTER_PRE.sub(r"\1", html)  # a parser swallows the first line end there
    return (_EMPTY_BLOCKS.sub("\n", html) if _EMPTY_BLOCK.search(html) else html).strip()


def _kept_attributes(tag: str, values: dict[str, str]) -> str | None:
    """The attributes of `tag` as written, in one order; None for a link or image without a usable address, and for a
    span that says nothing."""
    others = "".join(
        f' {name}="{values[name]}"'
        for name in sorted(_VALUES.keys() & values.keys())
        if _VALUES[name].fullmatch(values[name])
    )
    if tag == "a":
        url = _url(values.get("href", ""), _LINK)
        return f' href="{url}" rel="noopener noreferrer"{others}' if url else None
    if tag == "img":
        url = _url(values.get("src", ""), _IMAGE)
        alt = escape(clean_line(entities.unescape(values.get("alt", ""))))
        return f' src="{url}" alt="{alt}"{others}' if url else None
    return others or (None if tag == "span" else "")


def _url(value: str, pattern: re.Pattern[str]) -> str | None:
    url = re.sub(r"[\t\n]", "", allowed(entities.unescape(value))).strip()
    url = re.sub(r"\s", "%20", url)
    return escape(url) if pattern.fullmatch(url) else None


def from_text(text: str) -> str:
    """HTML paragraphs from plain text: a blank line parts them, a single line end is white space."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n[ \t]*\n", clean_text(text)))
    return "\n".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in paragraphs if paragraph)


# --- plain text -------------------------------------------------------------------------------------------------


def to_text(html: str) -> str:
    """Any HTML as plain text: blocks parted by a blank line, list items and table rows a line each.

    "- " or a number stands before a list item, " | " between cells; links and images leave their text or nothing.
    """
    return to_plain(sanitise(html))


def to_plain(html: str) -> str:
    """`to_text` for markup that comes from `sanitise`."""
    writer = _TextWriter()
    for paragraph, behind, end, tag, attributes, text in _TOKEN.findall(html):
        if text:
            writer.text(entities.unescape(text))
        elif not tag:
            writer.paragraph(entities.unescape(paragraph))
            writer.text(behind)
        elif end:
            writer.end(tag)
        else:
            writer.start(tag, dict(_ATTRIBUTE.findall(attributes)))
    writer.flush()
    return clean_text("".join(writer.blocks))


class _TextWriter:
    """Collects the inline text of a block and writes it out when the block ends."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self._inline: list[str] = []
        self._lists: list[int | None] = []  # the next number of each open list, None for bullets
        self._marker = ""
        self._tight = False  # the last block written belongs to the list or table we are in
        self._tables = self._cells = self._pre = 0

    def text(self, text: str) -> None:
        self._inline.append(text if self._pre else text.replace("\n", " "))  # `flush` folds white space

    def paragraph(self, text: str) -> None:
        self.start("p", {})
        self.text(text)
        self.end("p")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "br":
            self._inline.append(" " if self._cells else "\n")
        elif tag in {"td", "th"}:
            if any(part.strip() for part in self._inline):
                self._inline.append(" | ")
            self._cells += 1
        elif tag in _BLOCKS:
            self._border()
            if tag in {"ul", "ol"}:
                self._lists.append(int(attributes.get("start", "1")) if tag == "ol" else None)
            elif tag == "li" and self._lists:
                self._marker = self._next_marker()
            self._tables += tag == "table"
            self._pre += tag == "pre"

    def end(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._cells = max(self._cells - 1, 0)
        elif tag in _BLOCKS:
            self._border()
            if tag in {"ul", "ol"} and self._lists:
                self._lists.pop()
            elif tag == "li":
                self._marker = ""
            self._tables = max(self._tables - (tag == "table"), 0)
            self._pre = max(self._pre - (tag == "pre"), 0)
            if not self._lists and not self._tables:
                self._tight = False

    def flush(self) -> None:
        joined = "".join(self._inline)
        self._inline.clear()
        lines = joined.split("\n") if self._pre else [" ".join(line.split()) for line in joined.split("\n")]
        block = "\n".join(line.rstrip() for line in lines).strip("\n")
        if not block.strip():
            return
        indent = "  " * max(len(self._lists) - 1, 0)
        if self._lists:
            first = indent + (self._marker or "  ")
            rest = indent + " " * len(self._marker or "  ")
            block = first + block.replace("\n", "\n" + rest)
        self._marker = ""
        if self.blocks:
            self.blocks.append("\n" if self._tight else "\n\n")
        self.blocks.append(block)
        self._tight = bool(self._lists or self._tables)

    def _border(self) -> None:
        if self._cells:
            self._inline.append(" ")
        else:
            self.flush()

    def _next_marker(self) -> str:
        number = self._lists[-1]
        if number is None:
            return "- "
        self._lists[-1] = number + 1
        return f"{number}. "


_LIST_MARKER = re.compile(r"(?m)^[ \t]*(?:-|[0-9]+\.) ")
_SEEN_BEYOND = 20  # characters behind an excerpt that may decide where it ends
_SENTENCE_END = re.compile(r"[.!?…؟۔][\"'”’»)\]]*(?=\s)|[。！？][」』”’]*")
_NOT_AN_END = re.compile(r"(?:^|[\s(])(?:(?:[A-Za-z]\.)+|(?:Dr|Mr|Mrs|Ms|Prof|St|No|Art|vs|etc|cf|approx|Inc|Ltd)\.)$")


def excerpt(text: str, limit: int = 280) -> str:
    """The first sentences of plain `text` on one line, at most `limit` characters.

    Ends on a sentence where that uses a third of the room, else on a word with an ellipsis.
    """
    line = _without_markers(text[: 4 * limit])  # of a long text the rest makes no difference
    if len(line) <= limit + _SEEN_BEYOND:
        line = _without_markers(text)
    if len(line) <= limit:
        return line
    ends = [end for end in _sentence_ends(line, limit) if end >= limit // 3]
    return line[: ends[-1]] if ends else cut(line, limit)


def _without_markers(text: str) -> str:
    return clean_line(_LIST_MARKER.sub("", text))


def _sentence_ends(line: str, limit: int) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(line, 0, limit + 1):
        following = line[match.end() :].lstrip()[:1]
        if match.end() <= limit and not following.islower() and not _NOT_AN_END.search(line[: match.end()]):
            yield match.end()
