"""What moves while one waits: a run's live line, and a progress bar. Silent when not on a terminal.

No refresh threads: a supervisor forks, and must not have any.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import HEAVY_HEAD, Box
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from mantra.actors.supervisor import Supervisor
    from mantra.backtest.tally import Tally

EVERY_S = 0.25


def table(rows: list[dict[str, Any]], columns: str, lines: Box = HEAVY_HEAD) -> Table:
    """A table of rows; `columns`: the keys shown, as "key | title=key" where the title is other."""
    made, keys = Table(box=lines, padding=(0, int(lines is HEAVY_HEAD))), []
    for column in columns.split(" | "):
        title, _, key = column.rpartition("=")
        keys.append(key)
        number = rows and isinstance(rows[0][key], int | float)
        made.add_column(title or key.replace("_", " "), justify="right" if number else "left")
    for row in rows:
        made.add_row(*(_shown(row[key]) for key in keys))
    return made


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@contextmanager
def live_line(quiet: bool) -> Iterator[Callable[["Supervisor", "Tally"], None]]:
    """A function to call with a run's state as often as one likes; it draws four times a second."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda supervisor, tally: None
        return
    drawn, before, began = 0.0, 0, time.monotonic()
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def draw(supervisor: "Supervisor", tally: "Tally") -> None:
            nonlocal drawn, before
            now = time.monotonic()
            if now - drawn < EVERY_S:
                return
            sent = supervisor.messages()
            rate = (sent - before) / (now - drawn) if drawn else 0.0
            drawn, before = now, sent
            live.update(
                f"{now - began:6.1f} s  {sent:,} messages  {rate:,.0f}/s  "
                f"{sum(tally.requests.values()):,} requests  {tally.fills:,} fills  "
                f"{supervisor.lost():,} lost",
                refresh=True,
            )

        yield draw


@contextmanager
def progress_bar(what: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A function `(done, total)` in bytes that moves a bar."""
    console = Console(stderr=True)
    silent = quiet or not console.is_terminal
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=silent) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)
