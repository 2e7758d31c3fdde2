"""A report holds what happened, in decimal text, and fits a terminal of 80 columns."""

import json
from io import StringIO

import pytest
from rich.console import Console

from mantra.backtest.report import archive_facts, duration, gather, show
from mantra.backtest.tally import Tally
from mantra.messages.enums import ASK, BID, MAKER, TAKER
from tests.backtest.made_run import MadeRun, some_tables

FACTS = {
    "ended": "done",
    "seconds": 2.0,
    "ns_per_tick": 0.5,
    "clock": {},
    "problems": [],
    "places": {"run": "/somewhere/" + "deep/" * 20 + "[red]run"},
}


@pytest.fixture
def report():
    with MadeRun() as made:
        tally = Tally(made.run, some_tables())
        fill = {"model": 1, "instrument": 0, "fee_asset": 2}
        made.say("fills", **fill, side=BID, price=10_000, volume=150_000, liquidity=MAKER, fee=-20)
        made.say("fills", **fill, side=ASK, price=10_100, volume=50_000, liquidity=TAKER, fee=70)
        made.say("fills", model=0, instrument=2, side=ASK, price=7, volume=1, fee_asset=1, fee=1)
        made.say("trades", instrument=0, price=9_900, volume=1)
        made.say("requests", kind=0)
        yield gather(made.run, [made.speaker], ["other", "mine"], tally, FACTS)


def test_messages_are_counted_by_queue(report):
    counts = {name: queue["messages"] for name, queue in report["queues"].items()}
    assert counts == {
        "l2": 0,
        "ideals": 0,
        "trades": 1,
        "requests": 1,
        "orders": 0,
        "fills": 3,
        "balances": 0,
        "events": 0,
        "timings-speaker": 5,
    }
    assert report["messages"] == 10
    assert report["queues"]["fills"]["per_second"] == 1.5
    assert report["lost"] == 0
    assert [actor["name"] for actor in report["actors"]] == ["speaker"]


def test_amounts_are_decimal_text(report):
    other, mine = report["positions"]
    assert mine == {
        "model": "mine",
        "instrument": "BTCUSDT@north",
        "quote": "USDT",
        "fills": 2,
        "maker_fills": 1,
        "bought": "1.50000",
        "sold": "0.50000",
        "position": "1.00000",
        "pnl_before_fees": "-0.500000",  # -150 + 50.5 + 1 × 99
        "fees": "0.000050",
        "pnl": "-0.500050",
    }
    assert other["model"] == "other"
    assert (other["pnl_before_fees"], other["fees"], other["pnl"]) == (None, None, None)


def test_times_are_of_every_timer_and_queue_written(report):
    lines = {(line["kind"], line["name"]): line["count"] for line in report["times"]["speaker"]}
    assert lines["business", "say"] == 5
    assert lines["latency", "fills"] == 3
    assert report["tick_to_trade"]["name"] == "requests"
    assert report["tick_to_trade"]["count"] == 1


def test_it_is_plain_data(report):
    assert json.loads(json.dumps(report)) == report


def shown(report, width=80):
    text = StringIO()
    show(report, Console(file=text, width=width))
    return text.getvalue()


def long_report(report):
    """With the longest names and largest numbers there may be."""
    line = dict.fromkeys(("p50_ns", "p90_ns", "p99_ns", "p99.9_ns", "max_ns"), 999_700.0)
    line |= {"kind": "latency", "name": "requests", "count": 123_456_789}
    name = "a-name-of-31-letters-abcdefghij"
    queue = {"messages": 1_234_567_890, "per_second": 12_345_678.9, "lost": 1_234_567}
    position = report["positions"][1] | {
        "model": name,
        "fills": 12_345_678,
        "bought": "123456789.12345678",
        "pnl": "-1234567890.12345678",
    }
    return report | {
        "problems": ["an [odd] problem"],
        "queues": {f"timings-{name}": queue | {"readers": [name, "recorder"]}},
        "times": {name: [line] * 3},
        "tick_to_trade": line,
        "positions": [position, report["positions"][0]],
        "reasons": {"unfilled": 3},
        "refused": {"collar": 4},
        "archive": {"directory": "/x", "bytes": 5_000_000, "files": 7, "ratio": 8.25},
    }


def test_it_fits_80_columns_and_no_number_is_cut(report):
    text = shown(long_report(report))
    assert "…" not in text
    for line in text.splitlines():
        assert len(line) <= 80 or line.startswith("run: ")
    for number in ("123,456,789", "1,234,567,890", "12,345,679", "1,234,567", "1000 µs"):
        assert f" {number}" in text
    for amount in ("12,345,678", "123456789.12345678", "-1234567890.12345678 USDT"):
        assert f" {amount}" in text


def test_words_of_others_are_printed_as_they_are(report):
    text = shown(long_report(report))
    assert "an [odd] problem" in text
    assert FACTS["places"]["run"] in text  # unbroken, to be copied
    assert "venues' reasons: 3 unfilled" in text
    assert "not sent: 4 collar" in text
    assert "archive: /x (5.0 MB in 7 files, 8.2 x smaller" in text


def test_a_run_in_which_nothing_happened_is_shown_too():
    with MadeRun() as made:
        report = gather(made.run, [made.speaker], [], Tally(made.run, some_tables()), FACTS)
    assert "orders: none; 0 fills" in shown(report)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999.4, "999 ns"),
        (1000, "1.00 µs"),
        (12_340, "12.3 µs"),
        (999_900, "1000 µs"),
        (1_500_000, "1.50 ms"),
        (2.5e9, "2.50 s"),
        (4e12, "4000 s"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(ns, text):
    assert duration(ns) == text


def test_an_archive_is_weighed_against_64_byte_slots(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_bytes(b"x" * 100)
    (tmp_path / "sub" / "b").write_bytes(b"x" * 28)
    facts = archive_facts(tmp_path, 20)
    assert (facts["files"], facts["bytes"], facts["ratio"]) == (2, 128, 10.0)
    assert archive_facts(tmp_path / "none", 20)["ratio"] == 0.0
