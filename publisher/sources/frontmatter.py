"""YAML front matter -> fields with their lines. Floor: above `fields`.

Only the text of each value is used and no type is made from it, so `no` is Norwegian and 2021 a title. Anchors and
aliases are refused: a few lines of them unfold to gigabytes.
"""

from __future__ import annotations

import yaml

from publisher.sources.fields import Inadmissible, shown
from publisher.sources.lines import too_large

MAX_BYTES = 65536
_MAX_DEPTH = 10
_NULL = "tag:yaml.org,2002:null"


def parse(text: str, first_line: int) -> tuple[dict[str, object], dict[str, int]]:
    """The fields of `text`, whose first line is number `first_line` of its file, and the line of each.

    A value is a text, None, or a list of these. Raises Inadmissible with the line of what is wrong.
    """
    if len(text.encode()) > MAX_BYTES:
        raise Inadmissible("the front matter is " + too_large(MAX_BYTES), line=first_line)
    try:
        _check_events(text, first_line)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
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


def _explained(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not YAML"
    hint = "; put the value in quotes if it holds a colon" if "mapping values" in problem else ""
    return f"broken front matter: {problem}{hint}"


def _check_events(text: str, first_line: int) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = first_line + (event.start_mark.line if event.start_mark else 0)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Inadmissible(
                "broken front matter: anchors (&) and aliases (*) are not read; quote the value", line=line
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise Inadmissible("broken front matter: nested too deeply", line=line)


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
