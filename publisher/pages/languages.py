"""What languages are called in themselves. Floor: pure."""

from __future__ import annotations

from collections.abc import Iterable

_NAMES = {
    "ar": "العربية",
    "bg": "български",
    "cs": "čeština",
    "da": "dansk",
    "de": "Deutsch",
    "el": "ελληνικά",
    "en": "English",
    "es": "español",
    "et": "eesti",
    "fa": "فارسی",
    "fi": "suomi",
    "fr": "français",
    "he": "עברית",
    "hi": "हिन्दी",
    "hr": "hrvatski",
    "hu": "magyar",
    "id": "Bahasa Indonesia",
    "it": "italiano",
    "ja": "日本語",
    "ko": "한국어",
    "lt": "lietuvių",
    "lv": "latviešu",
    "ms": "Bahasa Melayu",
    "nl": "Nederlands",
    "no": "norsk",
    "pl": "polski",
    "pt": "português",
    "ro": "română",
    "ru": "русский",
    "sk": "slovenčina",
    "sl": "slovenščina",
    "sr": "српски",
    "sv": "svenska",
    "sw": "Kiswahili",
    "th": "ไทย",
    "tr": "Türkçe",
    "uk": "українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}


def named(tags: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Each tag (BCP 47) with its language's own name; one with a region, or that we have no name for, keeps its tag."""
    found = []
    for tag in tags:
        primary, _, rest = tag.partition("-")
        name = _NAMES.get(primary.lower(), "")
        found.append((tag, f"{name} ({tag})" if name and rest else name or tag))
    return tuple(found)
