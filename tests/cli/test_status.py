"""What moves while one waits moves on a terminal only, and says what is going on."""

import io

import pytest
from rich.console import Console

from mantra.cli import status
from mantra.cli.status import live_line, progress_bar


class Supervisor:
    def messages(self):
        return 1_234_567

    def lost(self):
        return 89


class Tally:
    requests = {"new": 40, "cancel": 2}  # noqa: RUF012
    fills = 17


@pytest.fixture
def terminal(monkeypatch):
    """What a terminal would show."""
    text = io.StringIO()
    monkeypatch.setattr(
        status,
        "Console",
        lambda stderr: Console(file=text, force_terminal=True, width=100, color_system=None),
    )
    return text


def test_a_run_is_drawn_four_times_a_second(terminal, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(status.time, "monotonic", lambda: now[0])
    with live_line(quiet=False) as draw:
        draw(Supervisor(), Tally())
        first = terminal.getvalue()
        assert "1,234,567 messages" in first
        assert "42 requests" in first
        assert "17 fills" in first
        assert "89 lost" in first
        now[0] += status.EVERY_S / 2
        draw(Supervisor(), Tally())
        assert terminal.getvalue() == first
        now[0] += status.EVERY_S
        draw(Supervisor(), Tally())
        assert terminal.getvalue() != first


def test_a_bar_moves(terminal):
    with progress_bar("import binance", quiet=False) as progress:
        progress(500, 1000)
    assert "import binance" in terminal.getvalue()


def test_where_nobody_looks_nothing_is_drawn(terminal, capsys):
    with live_line(quiet=True) as draw, progress_bar("x", quiet=True) as progress:
        draw(Supervisor(), Tally())
        progress(1, 2)
    assert terminal.getvalue() == ""
    assert capsys.readouterr() == ("", "")
