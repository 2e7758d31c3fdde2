"""import, archive."""

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from mantra.cli.main import FILE, FOLDER, JSON, VENUES, answer
from mantra.cli.status import progress_bar, table

OUT = click.Path(path_type=Path)
DIRECTORY = click.argument("directory", type=FOLDER)
LIMIT = 20
# The import's own, whose table is not loaded here.
IMPORTS = sorted((*VENUES, "coinbase-exchange", "kraken-v1", "tardis"))


@click.command("import")
@click.argument("venue", type=click.Choice(IMPORTS))
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--out", required=True, type=OUT, help="Folder of the new archive.")
@click.option("--name", help="The venue's name in the tables; default: told from the messages.")
@click.option(
    "--instrument",
    "instruments",
    multiple=True,
    metavar="SYMBOL:PRICE:VOLUME",
    help="Decimals of a symbol's prices and volumes, if they are not to be inferred.",
)
@JSON
def import_command(
    venue: str,
    files: tuple[Path, ...],
    out: Path,
    name: str | None,
    instruments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Read raw VENUE captures into an archive.

    Lines are `<local time> <json>`, those of `mantra capture --raw`, or of a cryptofeed raw dump,
    gzip or plain. FILES are one session, in this order. Every line is accounted for; malformed ones
    are named. With `tardis`: its incremental_book_L2 and trades CSV files, merged by time.
    """
    from mantra.backtest.import_tardis import import_tardis
    from mantra.backtest.importer import import_captures, parse_instrument

    try:
        exponents = dict(parse_instrument(text) for text in instruments)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    with progress_bar(f"import {venue}", as_json) as progress:
        venues = partial(import_captures, source=venue, venue=name)
        importer = import_tardis if venue == "tardis" else venues
        report = importer(files, out, exponents=exponents, progress=progress)
    facts, bad = report.as_dict(), bool(report.malformed or report.gaps or report.damaged)
    answer(as_json, facts, lambda: _show_import(facts, out), bad)


def _show_import(report: dict[str, Any], out: Path) -> None:
    console = Console()
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report["messages"].items())
    console.print(f"{report['lines']:,} lines: {kinds}")
    console.print(f"{report['levels']:,} levels, {report['trades']:,} trades -> {out}")
    for what in ("skipped", "refused"):
        if report[what]:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in report[what].items())
            console.print(f"{what}: {reasons}")
    for what in ("refusals", "gaps", "empty_starts", "damaged"):
        for line in report[what][:LIMIT]:
            console.print(f"[red]{what}[/]: {line}")
    if report["checksums"]:
        console.print(f"{report['checksums']:,} checksums, {report['mismatches']:,} wrong")
    for name, facts in list(report["instruments"].items())[:LIMIT]:
        console.print(f"{name}: {facts}")


@click.group("archive")
def archive_command() -> None:
    """List, print and verify archives."""


@archive_command.command("ls")
@DIRECTORY
@JSON
def archive_ls(directory: Path, as_json: bool) -> None:
    """Streams of an archive: rows, bytes, bytes a row, ratio against 64-byte records."""
    from mantra.archive import ArchiveReader

    reader = ArchiveReader(directory)
    rows = []
    for stream in reader.streams:
        size = sum(path.stat().st_size for path in directory.glob(f"{stream}.*.mantra"))
        count = reader.rows(stream)
        record = reader.dtype(stream).itemsize + 8
        facts = {"stream": stream, "rows": count, "bytes": size}
        facts |= {"bytes_per_row": size / max(count, 1), "ratio": count * record / max(size, 1)}
        rows.append(facts)
    damages = [str(damage) for damage in reader.damages]

    def show() -> None:
        columns = "stream | rows | bytes | bytes a row=bytes_per_row | x smaller=ratio"
        Console().print(table(rows, columns))
        for damage in damages:
            click.echo(damage, err=True)

    answer(as_json, {"streams": rows, "damages": damages}, show)


@archive_command.command("cat")
@DIRECTORY
@click.argument("stream")
@click.option("--limit", type=click.IntRange(0), default=LIMIT, help=f"Rows ({LIMIT}); 0: all.")
@JSON
def archive_cat(directory: Path, stream: str, limit: int, as_json: bool) -> None:
    """Print the rows of STREAM, one a line; with --json all in one object."""
    from mantra.archive import ArchiveError, ArchiveReader

    reader = ArchiveReader(directory)
    if stream not in reader.streams:
        raise ArchiveError(f"{directory}: no stream {stream!r}; has {', '.join(reader.streams)}")
    names = [name for name in reader.dtype(stream).names or () if not name.startswith("unused")]
    rows: Iterable[dict[str, Any]] = _rows(reader.blocks(stream), names, limit)
    if as_json:
        rows = list(rows)  # else one at a time

    def show() -> None:
        for fields in rows:
            click.echo(" ".join(f"{name}={value}" for name, value in fields.items()))

    answer(as_json, {"stream": stream, "rows": rows}, show)


def _rows(blocks: Iterable[np.ndarray], names: list[str], limit: int) -> Iterator[dict[str, Any]]:
    """The first `limit` rows, or all; no block is read that is not needed."""
    left = limit or sys.maxsize
    for block in blocks:
        for row in block[:left]:
            yield {name: row[name].tolist() for name in names}
        left -= len(block)
        if left <= 0:
            return


@archive_command.command("verify")
@DIRECTORY
@JSON
def archive_verify(directory: Path, as_json: bool) -> None:
    """Check every block of an archive; exit code 1 when something is damaged."""
    from dataclasses import asdict

    from mantra.archive import verify

    report = verify(directory)

    def show() -> None:
        for name, stream in report.streams.items():
            click.echo(
                f"{name}: {stream.rows:,} rows in {stream.blocks:,} blocks, "
                f"{stream.segments:,} files, {stream.bytes:,} bytes"
            )
        for damage in report.damages:
            click.echo(str(damage))
        click.echo("all blocks are whole" if report.ok else "DAMAGED")

    answer(as_json, asdict(report) | {"ok": report.ok}, show, not report.ok)
