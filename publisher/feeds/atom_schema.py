"""Whether an element is as the grammar of Atom (atom.rng) wants it. Floor: in `feeds`.

libxml2 walks a text along a pattern character by character; with those of addresses and dates that is most of the work.
So an element is held against the grammar without these patterns, and `re` matches the same patterns with the values. It
takes fewer characters for blanks than libxml2 lets pass, never more: what it does not like goes to the whole grammar,
which has the last word.
"""

from __future__ import annotations

import re
import threading
from importlib.resources import files

from lxml import etree

NS = "{http://www.w3.org/2005/Atom}"
_RNG = "{http://relaxng.org/ns/structure/1.0}"
_XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"
# the definitions of atom.rng whose patterns are matched here, and where the grammar refers to them
_ADDRESS, _IRI, _DATE = "reference", "absolute-iri", "date"
_TEXTS = {f"{NS}id": _IRI, f"{NS}icon": _ADDRESS, f"{NS}logo": _ADDRESS, f"{NS}uri": _ADDRESS}
_TEXTS |= {f"{NS}published": _DATE, f"{NS}updated": _DATE}
_ATTRIBUTES = {"href": _ADDRESS, "src": _ADDRESS, "uri": _ADDRESS, _XML_BASE: _ADDRESS, "scheme": _IRI}


class _Grammar:
    """The compiled grammar. A validator must not serve two threads at a time."""

    def __init__(self) -> None:
        rules = etree.fromstring(files("publisher.feeds").joinpath("atom.rng").read_bytes())
        self.whole = etree.RelaxNG(rules)
        patterns: dict[str, re.Pattern[str]] = {}
        for name in (_ADDRESS, _IRI, _DATE):
            (pattern,) = rules.iterfind(f"{_RNG}define[@name='{name}']//{_RNG}param[@name='pattern']")
            parent = pattern.getparent()
            assert parent is not None
            patterns[name] = re.compile(pattern.text or "")
            parent.remove(pattern)
        self._structure = etree.RelaxNG(rules)
        self._texts = {tag: patterns[name] for tag, name in _TEXTS.items()}
        self._attributes = {attribute: patterns[name] for attribute, name in _ATTRIBUTES.items()}

    def is_surely_valid(self, element: etree._Element) -> bool:
        return self._structure.validate(element) and all(map(self._has_good_values, element.iter()))

    def _has_good_values(self, element: etree._Element) -> bool:
        """Also of foreign elements, which may have any: that is what the last word is for."""
        text = self._texts.get(element.tag)
        if text is not None and (len(element) or not text.fullmatch(element.text or "")):
            return False  # a comment would cut the text in two
        for name, value in element.items():
            pattern = self._attributes.get(str(name))
            if pattern is not None and not pattern.fullmatch(str(value)):
                return False
        return True


_of_thread = threading.local()


def _grammar() -> _Grammar:
    if not hasattr(_of_thread, "grammar"):
        _of_thread.grammar = _Grammar()
    grammar: _Grammar = _of_thread.grammar
    return grammar


def is_valid(element: etree._Element) -> bool:
    """Whether `element` is a feed or an entry by the grammar."""
    grammar = _grammar()
    return grammar.is_surely_valid(element) or grammar.whole.validate(element)


def faults(element: etree._Element) -> str:
    """What is wrong with an element that is not valid: the cause, and the element it lies in."""
    whole = _grammar().whole
    whole.validate(element)
    return "; ".join([str(error.message) for error in whole.error_log][:2])
