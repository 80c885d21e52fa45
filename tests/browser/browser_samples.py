"""Articles by somebody who wants a script to run in a reader's browser: an attempt in each field."""

from __future__ import annotations

import json

_ATTEMPTS = (
    '<script>document.title="pwned"</script>',
    '"><img src=x onerror="document.title=\'pwned\'">',
    "</title><svg onload=\"document.title='pwned'\">",
    "javascript:document.title='pwned'",
    "{{ 7 * 7 }}{% raw %}<b onmouseover=\"document.title='pwned'\">",
)
_BODY = (
    '<p onclick="document.title=1">A text that is long enough to be one, on environment and customs.</p>'
    '<a href="javascript:document.title=1">link</a><a href="data:text/html,<script>1</script>">data</a>'
    '<iframe src="javascript:1"></iframe><style>body { display: none }</style><form action="/x"><input></form>'
    '<svg><script>document.title="pwned"</script></svg><math><mtext><style><img src=x onerror=document.title=1>'
    '<p style="position: fixed; inset: 0">over everything</p><base href="https://evil.example/">'
)


def hostile_articles() -> str:
    """JSON lines, an article for each attempt."""
    return "".join(
        json.dumps(
            {
                "id": f"hostile-{number}",
                "title": f"Environment {number} {attempt}",
                "summary": f"Summary {attempt}",
                "body": f"{attempt}{_BODY}",
                "author": f"Author {attempt}",
                "topics": ["environment", "region-europe"],
            }
        )
        + "\n"
        for number, attempt in enumerate(_ATTEMPTS)
    )
