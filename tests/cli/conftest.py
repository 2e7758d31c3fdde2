"""The `mantra` command as a shell calls it, in this process: arguments in, code and text out."""

import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from mantra.cli.main import main


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object it printed."""
        parsed = json.loads(self.out)
        assert isinstance(parsed, dict)
        return parsed


@pytest.fixture
def mantra(monkeypatch, capsys):
    """Call it: mantra("archive", "ls", path)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mantra", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            main()
        return Ended(leaving.value.code or 0, *capsys.readouterr())

    return call
