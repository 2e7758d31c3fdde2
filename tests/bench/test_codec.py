"""The codec bench: every key, and every frame of every venue decoded."""

import pytest

from mantra.bench import codec, codec_frames
from tests.exchanges import recorded


@pytest.mark.needs_jit
def test_a_quick_run_has_every_key(monkeypatch):
    recorded.path("cryptofeed")
    monkeypatch.setenv("MANTRA_DATA", str(recorded.ROOT))
    bench = codec.run(quick=True)
    for venue in codec.FRAMES:
        for key in ("ns_per_msg", "gb_per_s", "best_peer_ns_per_msg", "bytes_per_msg"):
            assert bench.results[f"{venue}_{key}"] > 0
    assert [bar.name for bar in bench.bars] == [f"{venue}_ns_per_msg" for venue in codec.FRAMES]


def test_without_data_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("MANTRA_DATA", str(tmp_path / "none"))
    bench = codec.run(quick=True)
    assert (bench.results, bench.bars) == ({}, [])
    assert "MANTRA_DATA" in bench.notes[0]


def test_a_frame_that_is_refused_ends_the_bench(monkeypatch):
    recorded.path("cryptofeed")
    monkeypatch.setenv("MANTRA_DATA", str(recorded.ROOT))
    monkeypatch.setitem(codec_frames.FRAMES, "kraken", lambda: [b'{"channel":"book",'])
    only = {"kraken": codec_frames.FRAMES["kraken"]}
    monkeypatch.setattr(codec, "FRAMES", only)
    with pytest.raises(RuntimeError, match="1 frames of kraken refused"):
        codec.run(quick=True)


def test_every_peer_makes_two_integers_of_a_level():
    made = {
        "binance": {"data": {"b": [["1.5", "2.25"]], "a": []}},
        "bitfinex": [7, [1.5, 1, -2.25], 1],
        "bitstamp": {"data": {"bids": [], "asks": [["1.5", "2.25"]]}},
        "coinbase": {"events": [{"updates": [{"price_level": "1.5", "new_quantity": "2.25"}]}]},
        "kraken": {"data": [{"bids": [{"price": 1.5, "qty": 2.25}], "asks": []}]},
    }
    for venue, message in made.items():
        found = codec.INTEGERS[venue](message)
        assert [str(abs(number)).rstrip("0") for number in found][:: len(found) - 1] == [
            "15",
            "225",
        ]
