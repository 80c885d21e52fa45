"""Text and markup that can be trusted: clean characters, sanitised HTML, plain text, slugs. Floor: above `errors`.

What comes out of here goes into XML, HTML, JSON and mail, so one rule holds for all of it: NFC, and no character
that XML 1.0 (section 2.2) forbids or discourages, none that the W3C feed validator calls a BadCharacter, none that
reorders the text around it.
"""

from __future__ import annotations

import html as entities
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from html import escape

import nh3

# --- characters -------------------------------------------------------------------------------------------------

# VT and NEL are what office programs write for a new line. That a set comes first lets `re` pass over the rest quickly.
_LINE_ENDS = re.compile("[\r\x0b\x0c\x85\u2028\u2029](?:(?<=\r)\n)?")
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # C0 and C1, without the line ends above
    "\ud800-\udfff"  # lone surrogates
    "\u202a-\u202e\u2066-\u2069"  # bidi embeddings, overrides, isolates
    "\ufeff\ufffd\ufdd0-\ufdef\ufffe\uffff]"  # byte order mark, replacement, noncharacters
)
_BEYOND_THE_BMP = re.compile("[\U00010000-\U0010ffff]")
_NONCHARACTERS_BEYOND = re.compile(
    "[" + "".join(chr(0x10000 * plane + 0xFFFE + low) for plane in range(1, 17) for low in (0, 1)) + "]"
)


def clean_text(text: str) -> str:
    """`text` in NFC with LF as line end and without forbidden characters. Not for markup: NFC joins ">" + U+0338."""
    return unicodedata.normalize("NFC", _allowed(text))


def _allowed(text: str) -> str:
    text = _FORBIDDEN.sub("", text)
    if _BEYOND_THE_BMP.search(text):  # rare, and this set is slow: it does not fit the bitmap that `re` makes
        text = _NONCHARACTERS_BEYOND.sub("", text)
    return _LINE_ENDS.sub("\n", text)


def clean_line(text: str, limit: int | None = None) -> str:
    """`clean_text` on one line, white space folded; over `limit` characters it is cut at a word with an ellipsis."""
    line = " ".join(clean_text(text).split())
    return line if limit is None or len(line) <= limit else _cut(line, limit)


def _cut(line: str, limit: int) -> str:
    end = limit - 1
    border = line.rfind(" ", 0, limit)
    if border > 0:
        end = border
    while end > 0 and unicodedata.combining(line[end]):
        end -= 1
    return line[:end].rstrip(" ,;:-–—") + "…"


def title_identity(title: str) -> str:
    """The same key for titles that differ only in white space, Unicode form (NFKC) or invisible characters.

    Case counts: "Who" and "WHO" are two words in this field.
    """
    visible = "".join(char for char in clean_text(title) if unicodedata.category(char) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", visible).split())


# --- slugs ------------------------------------------------------------------------------------------------------

_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "'": "", "’": ""}
)


def slugify(title: str, max_length: int = 80) -> str:
    """Whole words of `title` in a-z 0-9 joined by "-", at most `max_length` characters; "article" if none is left."""
    plain = unicodedata.normalize("NFKD", clean_text(title).lower().translate(_LETTERS))
    words = re.findall(r"[a-z0-9]+", plain.encode("ascii", "ignore").decode("ascii"))
    slug = "-".join(words)
    if len(slug) > max_length:
        border = slug.rfind("-", 0, max_length + 1)
        slug = slug[: border if border > 0 else max_length]
    return slug or "article"


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
}
_BLOCKS = _tags("p div h2 h3 h4 h5 h6 ul ol li dl dt dd blockquote pre hr figure figcaption table caption tr")
_KEPT = _BLOCKS | _tags(
    "a abbr br cite code del em img ins kbd mark q s samp small strong sub sup var thead tbody tfoot th td"
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
_LINK = re.compile(r"https?://[^\s/?#\\]\S*|mailto:[^\s@]+@\S+", re.IGNORECASE)
_IMAGE = re.compile(r"https?://[^\s/?#\\]\S*", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,4}")

# What nh3 writes: text and attributes are escaped, so these three cover it without rest.
_TOKEN = re.compile(r'<(?P<end>/?)(?P<tag>[a-z][a-z0-9]*)(?P<attributes>(?: [a-z]+="[^"]*")*)>|(?P<text>[^<]+)')
_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>")
_EMPTY_BLOCKS = re.compile(r"(?:\s*<(p|div)>(?:\s|&nbsp;)*</\1>)+\s*")
_CLOSE_THEMSELVES = _tags("p li dt dd tr td th thead tbody tfoot br hr img input meta link b i em strong a")

MAX_DEPTH = 200
"""Elements inside each other; parsing takes time by the square of it. Markup beyond it is kept as text only."""

_MAX_ROUNDS = 8


def sanitise(html: str, base_url: str | None = None) -> str:
    """The part of `html` that an article may consist of, well nested; `sanitise(sanitise(x)) == sanitise(x)`.

    Kept: paragraphs, h2 to h6 (h1 becomes h2), lists, quotes, emphasis, code, tables, figures, links to http, https
    and mailto, images with an absolute http(s) address. Relative addresses are made absolute with `base_url` (http
    or https), without it the link becomes its text and the image goes. No class, style, id, script or form.
    """
    html = _allowed(html)
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
            attributes=_ATTRIBUTES,
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
    out: list[str] = []
    unlinked = False  # inside a link that lost its address; links do not nest
    for token in _TOKEN.finditer(html):
        if (text := token["text"]) is not None:
            # a parser swallows the first line end after <pre>
            out.append(clean_text(text).lstrip("\n") if out and out[-1] == "<pre>" else clean_text(text))
            continue
        tag = _RENAMED.get(token["tag"], token["tag"])
        if token["end"]:
            if not (tag == "a" and unlinked):
                out.append(f"</{tag}>")
            continue
        attributes = _kept_attributes(tag, dict(_ATTRIBUTE.findall(token["attributes"])))
        if tag == "a":
            unlinked = attributes is None
        if attributes is not None:
            out.append(f"<{tag}{attributes}>")
    return _EMPTY_BLOCKS.sub("\n", "".join(out)).strip()


def _kept_attributes(tag: str, values: dict[str, str]) -> str | None:
    """The attributes of `tag` as written, in one order; None for a link or image without a usable address."""
    if tag == "a":
        url = _url(values.get("href", ""), _LINK)
        return f' href="{url}" rel="noopener noreferrer"' if url else None
    if tag == "img":
        url = _url(values.get("src", ""), _IMAGE)
        alt = escape(clean_line(entities.unescape(values.get("alt", ""))))
        return f' src="{url}" alt="{alt}"' if url else None
    return "".join(
        f' {name}="{values[name]}"'
        for name in sorted(_ATTRIBUTES.get(tag, ()))
        if name in values and _NUMBER.fullmatch(values[name])
    )


def _url(value: str, allowed: re.Pattern[str]) -> str | None:
    url = re.sub(r"[\t\n]", "", _allowed(entities.unescape(value))).strip()
    url = re.sub(r"\s", "%20", url)
    return escape(url) if allowed.fullmatch(url) else None


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
    for token in _TOKEN.finditer(html):
        if (text := token["text"]) is not None:
            writer.text(entities.unescape(text))
        elif token["end"]:
            writer.end(token["tag"])
        else:
            writer.start(token["tag"], dict(_ATTRIBUTE.findall(token["attributes"])))
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
        self._inline.append(text if self._pre else re.sub(r"\s+", " ", text))

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


_SENTENCE_END = re.compile(r"[.!?…؟۔][\"'”’»)\]]*(?=\s)|[。！？][」』”’]*")
_NOT_AN_END = re.compile(r"(?:^|[\s(])(?:(?:[A-Za-z]\.)+|(?:Dr|Mr|Mrs|Ms|Prof|St|No|Art|vs|etc|cf|approx|Inc|Ltd)\.)$")


def excerpt(text: str, limit: int = 280) -> str:
    """The first sentences of plain `text` on one line, at most `limit` characters.

    Ends on a sentence where that uses a third of the room, else on a word with an ellipsis.
    """
    line = clean_line(re.sub(r"(?m)^[ \t]*(?:-|[0-9]+\.) ", "", text))
    if len(line) <= limit:
        return line
    ends = [end for end in _sentence_ends(line, limit) if end >= limit // 3]
    return line[: ends[-1]] if ends else _cut(line, limit)


def _sentence_ends(line: str, limit: int) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(line, 0, limit + 1):
        following = line[match.end() :].lstrip()[:1]
        if match.end() <= limit and not following.islower() and not _NOT_AN_END.search(line[: match.end()]):
            yield match.end()
