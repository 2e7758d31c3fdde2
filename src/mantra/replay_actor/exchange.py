"""Replay of a MockExchange: [l2] [trades] [requests] in; [orders] [fills] [balances] out.

Its TIMINGs say how many market events it took since the last one told, and each request. Of the
events it takes the one of the earlier origin first, whichever queue it came on; so their common
order is known, except where one was published so late that its elder successor on the other queue
had been taken.
"""

import numpy as np

from mantra.exchanges.mock.exchange import PATIENCE, TIMER_MARKET, MockExchange
from mantra.exchanges.mock.layout import EXCHANGE
from mantra.icc.memory import records_at
from mantra.messages.records import PUBLISHER_MASK
from mantra.replay_actor.bench import FEED_MAX, Bench
from mantra.replay_actor.compare import compare
from mantra.replay_actor.recording import Recording

INPUTS = ("l2", "trades", "requests")
OUTPUTS = ("orders", "fills", "balances")


def replay_exchange(recording: Recording, actor: MockExchange) -> tuple[dict, dict, list[str]]:
    """(messages fed by queue, what came of each output, notes)."""
    rows = {name: recording.rows(name) for name in INPUTS}
    is_trade = common_order(rows["l2"]["ts_origin"], rows["trades"]["ts_origin"])
    trades_before = np.concatenate([[0], np.cumsum(is_trade)])
    with Bench(recording, rows, OUTPUTS, {}) as bench:
        bench.step(int(recording.timings["ts_start"][0]))  # It tells its balances before all else.
        taken = 0
        context = actor.context[0]  # type: ignore[index]
        exchange = records_at(int(context["exchange"]), 1, EXCHANGE)[0]
        for timer, work, ticks in recording.told("timer", "work", "ts_stop"):
            if timer == TIMER_MARKET:
                taken = min(taken + work, len(is_trade))
                _take_market(bench, trades_before, taken, ticks)
            else:
                bench.feed("requests", bench.fed["requests"] + work)
                if exchange["groups_open"] > 0:  # It had waited in vain for the rest of a group.
                    context["waited"] = PATIENCE
                bench.step(ticks)
        # What it took after the last TIMING: nothing of that had consequences.
        _take_market(bench, trades_before, len(is_trade), ticks)
    outcomes = {}
    for stream in OUTPUTS:
        recorded = recording.rows(stream)
        numbers = np.flatnonzero(recorded["published"] & PUBLISHER_MASK == recording.publisher)
        before, after = recorded[numbers], bench.sent[stream]
        # What a venue says begins an origin: a moment, no inheritance.
        before["ts_origin"] = after["ts_origin"] = 0
        outcomes[stream] = compare(stream, numbers, before, after)
    return bench.fed, outcomes, []


def common_order(updates: np.ndarray, trades: np.ndarray) -> np.ndarray:
    """Whether each event, in the order they are taken in, is a trade. Arguments: their origins.

    The one of the earlier origin is taken first, of equal ones the trade. Heads are compared: who
    stands behind a later origin on its own queue waits with it, hence the running maxima.
    """
    keys = [np.maximum.accumulate(k) if len(k) else k for k in (trades, updates)]
    is_trade = np.repeat([True, False], [len(trades), len(updates)])
    return is_trade[np.argsort(np.concatenate(keys), kind="stable")]


def _take_market(bench: Bench, trades_before: np.ndarray, end: int, ticks: int) -> None:
    """Feed market events up to the `end`-th in their common order, and let it take them all."""
    taken = bench.fed["l2"] + bench.fed["trades"]
    while taken < end:
        taken = min(taken + FEED_MAX, end)
        trades = int(trades_before[taken])
        bench.feed("trades", trades)
        bench.feed("l2", taken - trades)
        bench.step_until_idle(ticks)
