"""import, archive."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from mantra.cli.main import print_json
from mantra.cli.status import is_quiet, progress_bar

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object, nothing else.")
DIRECTORY = click.argument(
    "directory", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
LIMIT = 20


@click.command("import")
@click.argument("venue", type=click.Choice(["binance", "bitstamp"]))
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder of the new archive."
)
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

    Lines are `<local time> <json>` or those of a cryptofeed raw dump, gzip or plain.
    FILES are one session, in this order. Every line is accounted for; malformed ones are named.
    """
    from mantra.backtest.importer import import_captures, parse_instrument

    try:
        exponents = dict(parse_instrument(text) for text in instruments)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    with progress_bar(f"import {venue}", is_quiet(as_json)) as progress:
        report = import_captures(
            files, out, source=venue, venue=name, exponents=exponents, progress=progress
        )
    if as_json:
        print_json(report.as_dict())
    else:
        _show_import(report.as_dict(), out)
    if report.malformed or report.gaps or report.damaged:
        raise click.exceptions.Exit(1)


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
    for name, facts in report["instruments"].items():
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
        rows.append(
            {
                "stream": stream,
                "rows": count,
                "bytes": size,
                "bytes_per_row": size / count if count else 0.0,
                "ratio": count * record / size if size else 0.0,
            }
        )
    damages = [str(damage) for damage in reader.damages]
    if as_json:
        print_json({"streams": rows, "damages": damages})
        return
    table = Table("stream")
    for column in ("rows", "bytes", "bytes a row", "x smaller"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            str(row["stream"]),
            f"{row['rows']:,}",
            f"{row['bytes']:,}",
            f"{row['bytes_per_row']:.2f}",
            f"{row['ratio']:.1f}",
        )
    Console().print(table)
    for damage in damages:
        click.echo(damage, err=True)


@archive_command.command("cat")
@DIRECTORY
@click.argument("stream")
@click.option(
    "--limit", type=click.IntRange(0), default=LIMIT, show_default=True, help="Rows; 0: all."
)
@JSON
def archive_cat(directory: Path, stream: str, limit: int, as_json: bool) -> None:
    """Print the rows of STREAM, one a line; with --json all in one object."""
    from mantra.archive import ArchiveError, ArchiveReader

    reader = ArchiveReader(directory)
    if stream not in reader.streams:
        raise ArchiveError(f"{directory}: no stream {stream!r}; has {', '.join(reader.streams)}")
    names = [name for name in reader.dtype(stream).names or () if not name.startswith("unused")]
    rows = _rows(reader.blocks(stream), names, limit)
    if as_json:
        print_json({"stream": stream, "rows": list(rows)})
        return
    for fields in rows:
        click.echo(" ".join(f"{name}={value}" for name, value in fields.items()))


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
    if as_json:
        print_json(asdict(report) | {"ok": report.ok})
    else:
        for name, stream in report.streams.items():
            click.echo(
                f"{name}: {stream.rows:,} rows in {stream.blocks:,} blocks, "
                f"{stream.segments:,} files, {stream.bytes:,} bytes"
            )
        for damage in report.damages:
            click.echo(str(damage))
        click.echo("all blocks are whole" if report.ok else "DAMAGED")
    if not report.ok:
        raise click.exceptions.Exit(1)
