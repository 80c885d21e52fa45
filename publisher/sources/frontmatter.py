"""YAML front matter -> fields with their lines. Floor: above `fields`.

Only the text of each value is used and no type is made from it, so `no` is Norwegian and 2021 a title. Anchors and
aliases are refused: a few lines of them unfold to gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from publisher.sources.fields import Inadmissible, shown
from publisher.sources.lines import too_large

MAX_BYTES = 65536
_MAX_DEPTH = 10
_NULL = "tag:yaml.org,2002:null"


class _Refused(Exception):
    """What is not read although it is YAML; `line` counts from 0."""

    def __init__(self, reason: str, event: yaml.Event) -> None:
        self.reason = "broken front matter: " + reason
        self.line = event.start_mark.line if event.start_mark else 0
        super().__init__(reason)


class _Loader(yaml.SafeLoader):
    """Looks at each node before it is made."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused("anchors (&) and aliases (*) are not read; quote the value", event)
        if isinstance(event, yaml.CollectionStartEvent) and self._depth == _MAX_DEPTH:
            raise _Refused("nested too deeply", event)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def parse(text: str, first_line: int) -> tuple[dict[str, object], dict[str, int]]:
    """The fields of `text`, whose first line is number `first_line` of its file, and the line of each.

    A value is a text, None, or a list of these. Raises Inadmissible with the line of what is wrong.
    """
    if len(text.encode()) > MAX_BYTES:
        raise Inadmissible("the front matter is " + too_large(MAX_BYTES), line=first_line)
    try:
        return _plainly(text, first_line)
    except (_NotPlain, yaml.YAMLError):
        return _in_full(text, first_line)


def _in_full(text: str, first_line: int) -> tuple[dict[str, object], dict[str, int]]:
    """`parse` of whatever is YAML, or the reason why it is not read."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except _Refused as problem:
        raise Inadmissible(problem.reason, line=first_line + problem.line) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Inadmissible(_explained(error), line=first_line + (mark.line if mark else 0)) from None
    except yaml.reader.ReaderError as error:
        line = first_line + text.count("\n", 0, error.position)
        raise Inadmissible("broken front matter: a control character; take it out", line=line) from None
    if root is None:
        return {}, {}
    if not isinstance(root, yaml.MappingNode):
        raise Inadmissible("broken front matter: expected lines of 'key: value'", line=first_line)
    return _fields(root, first_line)


# --- front matter as nearly all of it is ------------------------------------------------------------------------

_ODD = set("\t|>!\ufeff\x85\u2028\u2029")
"""Where texts have these, libyaml and PyYAML do not always see the same in them."""
_QUICK: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = {"", "~", "null", "Null", "NULL"}


class _NotPlain(Exception):
    """What only `_Loader` reads."""


def _plainly(text: str, first_line: int) -> tuple[dict[str, object], dict[str, int]]:
    """`parse` by libyaml, which takes a tenth of the time and has its own opinion of where a mistake is."""
    if not _ODD.isdisjoint(text):
        raise _NotPlain
    events = iter(yaml.parse(text, Loader=_QUICK))
    next(events)  # the stream begins
    if isinstance(next(events), yaml.StreamEndEvent):
        return {}, {}
    root = next(events)
    if not isinstance(root, yaml.MappingStartEvent) or root.anchor or root.tag or root.flow_style:
        raise _NotPlain
    fields: dict[str, object] = {}
    lines: dict[str, int] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _plain_value(event, events)
        if not isinstance(key, str) or key in fields:
            raise _NotPlain
        fields[key] = _plain_value(next(events), events)
        lines[key] = first_line + (event.start_mark.line if event.start_mark else 0)
    next(events)  # the document ends
    if not isinstance(next(events), yaml.StreamEndEvent):
        raise _NotPlain
    return fields, lines


def _plain_value(event: yaml.Event, events: Iterator[yaml.Event]) -> object:
    """A text, None, or a list of these; all else is for `_Loader`."""
    if getattr(event, "anchor", None) or getattr(event, "tag", None):
        raise _NotPlain
    if isinstance(event, yaml.ScalarEvent):
        return None if event.implicit[0] and event.value in _NULLS else str(event.value)
    if not isinstance(event, yaml.SequenceStartEvent):
        raise _NotPlain
    values = []
    while not isinstance(inner := next(events), yaml.SequenceEndEvent):
        if not isinstance(inner, yaml.ScalarEvent):
            raise _NotPlain
        values.append(_plain_value(inner, events))
    return values


# --- all other --------------------------------------------------------------------------------------------------


def _explained(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not YAML"
    hint = "; put the value in quotes if it holds a colon" if "mapping values" in problem else ""
    return f"broken front matter: {problem}{hint}"


def _fields(root: yaml.MappingNode, first_line: int) -> tuple[dict[str, object], dict[str, int]]:
    fields: dict[str, object] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in root.value:
        line = first_line + key_node.start_mark.line
        key = _value(key_node)
        if not isinstance(key, str):
            raise Inadmissible("broken front matter: a key must be a word", line=line)
        if key in fields:
            raise Inadmissible("stands here a second time; keep one", key=shown(key), line=line)
        fields[key] = _value(value_node)
        lines[key] = line
    return fields, lines


def _value(node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag == _NULL else str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    return {}  # named "an object" where a text is expected, ignored under a key that is not ours
