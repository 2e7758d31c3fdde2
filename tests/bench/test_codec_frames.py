"""Frames to measure with: re-encoded ones carry the recorded levels."""

import json

from mantra.bench import codec_frames
from tests.exchanges import recorded


def test_every_venue_has_frames_in_its_live_form(monkeypatch):
    recorded.path("cryptofeed")
    monkeypatch.setenv("MANTRA_DATA", str(recorded.ROOT))
    counts = {venue: len(frames()) for venue, frames in codec_frames.FRAMES.items()}
    assert counts.pop("bitfinex") > 1_600
    assert counts == {"binance": 13_191, "bitstamp": 657, "coinbase": 9_729, "kraken": 4_279}


def test_a_v1_frame_becomes_a_v2_frame_with_the_same_text_of_its_numbers():
    v1 = [7, {"a": [["1.50", "2.0", "1.0"]]}, {"b": [["1.40", "0.0", "1.0"]], "c": "99"}]
    text = codec_frames._as_v2([*v1, "book-10", "A/B"]).decode()
    assert '"bids":[{"price":1.40,"qty":0.0}],"asks":[{"price":1.50,"qty":2.0}]' in text
    frame = json.loads(text)
    assert (frame["type"], frame["data"][0]["checksum"]) == ("update", 99)


def test_an_exchange_frame_becomes_an_advanced_frame():
    message = {"type": "l2update", "product_id": "A-B", "changes": [["sell", "1.5", "0"]]}
    (raw,) = codec_frames._as_advanced(iter([message]))
    event = json.loads(raw)["events"][0]
    assert (event["type"], event["product_id"]) == ("update", "A-B")
    assert event["updates"][0]["side"] == "offer"
