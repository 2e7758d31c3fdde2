"""A config for an archive and a model, when the user gives no config: every instrument, quoted.

In:        an archive's tables, the name of a model.
Out:       a checked Config: its venues mocked with ample balances, one model per instrument.
"""

import re
from pathlib import Path
from typing import Any

from mantra.archive import ArchiveError, ArchiveReader
from mantra.config import Config, ConfigError, check_config
from mantra.messages.tables import Tables

# Whole units of each asset; the later counts: one that is both is ample as a quote.
AMPLE = {"base": "1000", "quote": "10000000"}
NAME_LETTERS = 20


def config_for_archive(data: Path, model: str, changes: dict[str, Any]) -> Config:
    """Raises ConfigError for what is no archive, or one without tables."""
    tables = recorded_tables("--data", data)
    raw: dict[str, Any] = {"source": {"kind": "replay", "data": str(data)}, "venues": []}
    for venue in tables.venues:
        balances = _balances(tables, int(venue["id"]))
        raw["venues"].append({"name": venue["name"].decode(), "balances": balances})
    # A model's file as the beginning of an actor's name.
    word = re.sub(r"[^A-Za-z0-9_-]", "-", Path(model).stem)[:NAME_LETTERS]
    raw["models"] = [
        {"name": f"{word}-{index}", "model": model, "instruments": [name]}
        for index, name in enumerate(tables.instrument_names())
    ]
    for key, value in changes.items():
        table, field = key.split(".")
        raw.setdefault(table, {})[field] = value
    return check_config(raw, "the options")


def recorded_tables(key: str, data: Path) -> Tables:
    """An archive's tables. Raises ConfigError, naming the key, for what has none."""
    try:
        content = ArchiveReader(data).metadata.get("tables")
    except ArchiveError as error:
        raise ConfigError(f"{key}: {error}") from None
    if content is None:
        what = "this archive holds no instrument tables; make one with 'mantra import'"
        raise ConfigError(f"{key} = {data}: {what}")
    return Tables.from_dict(content)


def _balances(tables: Tables, venue: int) -> dict[str, str]:
    rows = tables.instruments[tables.instruments["venue"] == venue]
    owned = ((tables.assets[row[role]]["name"], AMPLE[role]) for role in AMPLE for row in rows)
    return {name.decode(): amount for name, amount in owned}
