"""Is everything well? Facts in, findings out. Floor: pure.

Each judgement is a small function over facts that doors have gathered; it says what the fact means and what to do.
"""

from publisher.health.findings import Finding, Level

__all__ = ["Finding", "Level"]
