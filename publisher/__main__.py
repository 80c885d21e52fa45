"""The entry point: `publisher` and `python -m publisher`. Floor: the highest."""

from __future__ import annotations

import gc
import sys

NEW_OBJECTS = 50_000
"""So many more objects before garbage is looked for. Python's own 700 make it look two hundred times while a command
loads, where there is none: a seventh of its start."""


def main() -> int:
    gc.set_threshold(NEW_OBJECTS)
    from publisher.cli import run

    try:
        return run()
    finally:
        gc.freeze()  # else Python looks for garbage among all that is loaded before it ends: a fifth of a small command


if __name__ == "__main__":
    sys.exit(main())
