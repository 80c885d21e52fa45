"""The entry point: `publisher` and `python -m publisher`. Floor: the highest."""

from __future__ import annotations

import sys


def main() -> int:
    from publisher.cli import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
