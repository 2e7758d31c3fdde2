"""Import: recorded raw captures of a venue -> an archive, counted to the last line.

In:        files of lines, gzip or plain; several files in one call are one session, in their order:
               <time> <message>           a frame; 16 digits of µs or 19 of ns
               <time> #SERIAL <message>   of that connection; without a message: it ended
               <time> @SYMBOL <message>   an answer to REST about that symbol
           or a dump's lines (dumps.py). Beside files of `mantra capture --raw` lies tables.json;
           they are taken by their numbers, whatever order they are given in.
Out:       an archive with the streams "l2" and "trades" and the tables; an ImportReport.
Must not know: terminals. Progress goes to a callback.

Where tables lie beside the files, every line goes the way it went live, through the same feed
(market_data/take.py): what comes out is what a capture without that codec's bug had written.

Else two passes. The first finds what the lines alone can say: the symbols, the fewest decimals that
hold every price and volume (Kraken's: those that are written), the steps they come in (tick and
lot: the coarsest that divide them all), spot or futures, and whether snapshots will come. The
second decodes, bridges, checks and writes.

`ts_origin` of an imported record is the local receive time, ns since the epoch, and never goes
back; the archive's metadata says so: clock "utc_ns". `ts_exchange` is the venue's.

How a book begins. Depth messages before a snapshot wait for it and follow it, as they would live;
they then carry the snapshot's time. Without a snapshot to come (none in the files, or a gap behind
the last one) the book begins empty: the next group with levels is flagged SNAPSHOT, because it does
replace the whole book, by the few levels then known; all others are known once they change. The
report says where (`empty_starts`). Kraken's and Bitfinex' books do not begin so, for their
checksums are of the whole book; nor do those of raw captures.

A line that cannot be used is counted, listed (the first LISTED_MAX) and passed over; nothing of it
is kept. A gap in the ids, a checksum that does not hold, a crossed book and a refused change break
the book: that is counted, never bridged, and nothing of the book is written until it has a base.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from mantra.archive import ArchiveReader, ArchiveWriter
from mantra.backtest.captures import CaptureError, Captures, Progress
from mantra.backtest.import_session import ImportReport, Session
from mantra.backtest.import_survey import Survey
from mantra.messages.decimals import check_exponent
from mantra.messages.tables import Tables

__all__ = ["CaptureError", "ImportReport", "import_captures", "parse_instrument"]

RAW_TABLES = "tables.json"  # beside the files of a raw capture: Tables.as_dict()


def import_captures(
    files: Sequence[Path | str],
    archive_dir: Path | str,
    *,
    source: str = "binance",
    venue: str | None = None,
    exponents: dict[str, tuple[int, int]] | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import files, in this order, as one session into a new archive.

    `source`: whose messages they are, a key of IMPORT_VENUES. `venue`: its name in the tables;
    None: the same, or "binance-usdm" if the depth messages are a futures'. `exponents`: price and
    volume exponent by symbol, where they are not to be inferred.
    `progress(done, total)`: bytes, both passes together. Raises CaptureError, ValueError.
    """
    paths = [Path(file) for file in files]
    if not paths:
        raise CaptureError("no files to import")
    directory = new_archive(archive_dir)
    known = paths[0].parent / RAW_TABLES
    survey = None if known.exists() else Survey(source)
    if survey is None:
        paths.sort(key=lambda path: [int(digits) for digits in re.findall(r"\d+", path.name)])
    captures = Captures(paths, 1 if survey is None else 2, progress)
    if survey is None:
        tables = Tables.from_dict(json.loads(known.read_text()))
        if venue or exponents or source.encode() not in tables.venues["name"]:
            raise CaptureError(f"{known} has the names and decimals, and must have {source!r}")
    else:
        for _, piece in captures:
            survey.take(piece)
        survey.finish()
        tables = survey.tables(venue, exponents or {})
    metadata = {
        "clock": "utc_ns",
        "files": [path.name for path in paths],
        "tables": tables.as_dict(),
    }
    with ArchiveWriter(directory, metadata) as writer:
        session = Session(source, tables, survey, writer)
        for path, piece in captures:
            session.take(path.name, piece)
        report = session.finish()
    damaged = [f"{d.path}: after line {d.line}: {d.reason}" for d in captures.damages]
    report.damaged = list(dict.fromkeys(damaged))  # each pass may find them
    return report


def new_archive(archive_dir: Path | str) -> Path:
    """The folder of an archive to be. Raises CaptureError."""
    directory = Path(archive_dir)
    if directory.exists() and ArchiveReader(directory).streams:
        raise CaptureError(f"{directory} holds an archive already: import into a new directory")
    return directory


def parse_instrument(text: str) -> tuple[str, tuple[int, int]]:
    """`SYMBOL:price_exponent:volume_exponent` -> (symbol, exponents). Raises ValueError."""
    symbol, *exponents = text.split(":")
    try:
        price, volume = map(int, exponents)
        check_exponent(price)
        check_exponent(volume)
    except ValueError as error:
        raise ValueError(
            f"instrument {text!r}: expected SYMBOL:price_exponent:volume_exponent, "
            f"as in BTCUSDT:2:5 ({error})"
        ) from None
    return symbol.upper(), (price, volume)
