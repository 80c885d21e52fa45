"""What every section of the settings is: frozen, and without room for a key that nobody knows. Floor: lowest of
`config`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
