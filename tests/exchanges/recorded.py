"""The recorded data of the shared folder, message by message; skips where it is absent."""

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("MANTRA_DATA", Path(__file__).parents[3] / "shared" / "data"))
COLLECTOR = "binance-collector"
SPOT = (f"{COLLECTOR}/spot_btcusdt_20240808.gz", f"{COLLECTOR}/spot_btcusdt_20240809.gz")
USDM = f"{COLLECTOR}/usdm_btcusdt_20240808.gz"
HISTORY = f"{COLLECTOR}/hist_spot_btcusdt_20230405.dat.gz"
FRAME = re.compile(rb"[0-9.]+: (.*)")
ANSWER = re.compile(
    rb"\S+(?:[?&]symbol=|/order_book/)(\w+)\S* -> [0-9.]+: (\{.*?\})(?: header: .*)?"
)


def path(name: str) -> Path:
    if not (ROOT / name).exists():
        pytest.skip(f"no recorded data {name} under {ROOT} (MANTRA_DATA)")
    return ROOT / name


def collector_messages(name: str) -> Iterator[bytes]:
    """The messages of a Binance collector file, local times cut off."""
    with gzip.open(path(name)) as lines:
        for line in lines:
            yield line.rstrip(b"\n").partition(b" ")[2]


def cryptofeed_messages(name: str) -> Iterator[tuple[str, bytes]]:
    """(symbol asked for, or "", message) of a cryptofeed file: frames and answers, in order."""
    for line in path(name).read_bytes().splitlines():
        if match := FRAME.fullmatch(line):
            yield "", match[1]
        elif match := ANSWER.fullmatch(line):
            yield match[1].decode(), match[2]
