"""The compiled exchange says what a naive one says, message by message, on random streams."""

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mantra.messages import enums
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.tables import Tables
from tests.exchanges.mock.compiled_exchange import CompiledExchange
from tests.exchanges.mock.naive import NaiveExchange

ORDERS_MAX = 6
USUAL_VOLUMES = [2, 4, 6, 8, 20]  # lots of both instruments


def make_tables(quote_exponent: int = 2) -> Tables:
    """Two instruments on venue 0, one with a rebate, one of another venue.

    With two decimals of the quote asset its amounts are rounded; with 5 they are exact.
    """
    tables = Tables()
    mock, other = tables.add_venue("mock"), tables.add_venue("other")
    btc, eth = tables.add_asset("BTC", quote_exponent), tables.add_asset("ETH", 4)
    usd = tables.add_asset("USD", quote_exponent)
    units = {"price_exponent": 1, "volume_exponent": 2}
    fees = {"maker_fee_ppm": 1_000, "taker_fee_ppm": 30_000}
    rebate = {"maker_fee_ppm": -20_000, "taker_fee_ppm": 2_500}
    tables.add_instrument(mock, "BTCUSD", btc, usd, **units, **fees, min_notional="0.15")
    tables.add_instrument(mock, "ETHBTC", eth, btc, **units, **rebate, lot_size="0.02")
    tables.add_instrument(other, "BTCUSD", btc, usd, **units)
    return tables


class Pair:
    """Both exchanges are told the same; whatever they say must be the same."""

    def __init__(self, amounts, quote_exponent=2):
        self.tables = make_tables(quote_exponent)
        self.exact = quote_exponent >= 3
        self.expected_totals = list(amounts)
        given = dict(enumerate(amounts))
        self.naive = NaiveExchange(0, self.tables, given, ORDERS_MAX)
        self.fast = CompiledExchange(0, self.tables, given, ORDERS_MAX)
        self.clock = 1
        self.seen = Counter()
        self.instrument_of = {}

    def tell(self, verb, *args, **kwargs):
        getattr(self.naive, verb)(*args, **kwargs)
        getattr(self.fast, verb)(*args, **kwargs)
        expected = self.naive.flush()
        assert self.fast.flush() == expected
        self.clock += 1
        for message in expected:
            self.note(message)
        self.check()

    def note(self, message):
        kind, order_id, *rest = message
        if kind == "order":
            self.seen[enums.ORDER_EVENTS[rest[0]], enums.REASONS[rest[1]]] += 1
            if rest[0] == enums.ACCEPTED:
                self.instrument_of[order_id] = rest[4]
        elif kind == "fill":
            price, volume, leaves, fee, fee_asset, liquidity, _, side, _ = rest
            self.seen["fill", enums.LIQUIDITIES[liquidity], "all" if leaves == 0 else "part"] += 1
            row = self.tables.instruments[self.instrument_of[order_id]]
            sign = 1 - 2 * side
            quote = price * volume * int(row["quote_multiplier"]) // int(row["quote_divisor"])
            self.expected_totals[row["base"]] += sign * volume * int(row["base_multiplier"])
            self.expected_totals[row["quote"]] -= sign * quote
            self.expected_totals[fee_asset] -= fee

    def check(self):
        """Holds are those of the open orders; totals changed by fills and fees alone."""
        accounts = self.fast.state.accounts
        assert all(accounts["held"] >= 0)
        assert all(accounts["held"] <= accounts["total"])
        held = [0] * len(accounts)
        for order in self.fast.open_orders:
            row = self.tables.instruments[order["instrument"]]
            held[int(row["quote"] if order["side"] == BID else row["base"])] += int(order["held"])
        assert held == accounts["held"].tolist()
        if self.exact:
            assert accounts["total"].tolist() == self.expected_totals

    def group(self, instrument, levels, flags):
        for number, level in enumerate(levels):
            ends = FIRST * (number == 0) | LAST * (number == len(levels) - 1)
            self.tell("update", instrument, *level, flags | ends, self.clock, self.clock)

    def ask(self, kind, instrument, order_id, **fields):
        defaults = {"side": 0, "type": 0, "time_in_force": 0, "price": 0, "volume": 0, "model": 3}
        fields = defaults | fields
        self.tell("request", kind=kind, instrument=instrument, order_id=order_id, **fields)

    def close(self):
        """Cancel all: nothing is held, and the table is as it was."""
        for order in list(self.fast.open_orders):
            self.ask(enums.CANCEL, int(order["instrument"]), int(order["order_id"]))
        assert not self.fast.state.accounts["held"].any()
        assert not self.fast.state.head["index"].any()
        assert self.fast.state.head["open"] == 0


SIDES = st.sampled_from([BID, ASK])
INSTRUMENTS = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2])
PRICES = st.integers(94, 106)
VOLUMES = st.sampled_from([*USUAL_VOLUMES * 3, 0, 1])
ORDER_IDS = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8] * 2 + [0])
OPENING = [(BID, 98, 4), (BID, 99, 6), (ASK, 101, 4), (ASK, 102, 6)]


class Twins(RuleBasedStateMachine):
    @initialize(
        amounts=st.tuples(*[st.sampled_from([0, 30, 100_000])] * 3),
        exponent=st.sampled_from([2, 5]),
    )
    def open(self, amounts, exponent):
        self.pair = Pair(amounts, exponent)
        self.pair.group(0, OPENING, SNAPSHOT)
        self.pair.group(1, OPENING, SNAPSHOT)

    @rule(
        instrument=INSTRUMENTS,
        levels=st.lists(st.tuples(SIDES, PRICES, VOLUMES), min_size=1, max_size=4),
        flags=st.sampled_from([0, 0, 0, SNAPSHOT]),
    )
    def change(self, instrument, levels, flags):
        self.pair.group(instrument, levels, flags)

    @rule(instrument=INSTRUMENTS, side=SIDES, price=PRICES, volume=VOLUMES)
    def trade(self, instrument, side, price, volume):
        self.pair.tell("trade", instrument, side, price, volume, self.pair.clock, self.pair.clock)

    @rule(
        instrument=INSTRUMENTS,
        order_id=ORDER_IDS,
        side=SIDES,
        price=PRICES,
        volume=VOLUMES,
        type=st.sampled_from([enums.LIMIT] * 5 + [enums.MARKET]),
        time_in_force=st.sampled_from([0, 0, 0, 1, 2]),
    )
    def new(self, instrument, order_id, **terms):
        self.pair.ask(enums.NEW, instrument, order_id, **terms)

    @rule(instrument=INSTRUMENTS, order_id=ORDER_IDS, price=st.just(0) | PRICES, volume=VOLUMES)
    def amend(self, instrument, order_id, price, volume):
        self.pair.ask(enums.AMEND, instrument, order_id, price=price, volume=volume)

    @rule(instrument=INSTRUMENTS, order_id=ORDER_IDS)
    def cancel(self, instrument, order_id):
        self.pair.ask(enums.CANCEL, instrument, order_id)

    @rule(side=SIDES, price=PRICES, volume=VOLUMES, lose=st.sampled_from([False, False, True]))
    def lose_or_stop_in_a_group(self, side, price, volume, lose):
        if lose:
            self.pair.tell("lose")
        else:
            clock = self.pair.clock
            self.pair.tell("update", 0, side, price, volume, FIRST, clock, clock)

    def teardown(self):
        if hasattr(self, "pair"):
            self.pair.close()


Twins.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestTwins = Twins.TestCase

# What a long stream must have shown, else it proves little.
MUST_SEE = [
    *[("fill", liquidity, how) for liquidity in enums.LIQUIDITIES for how in ("all", "part")],
    *[(event, "none") for event in ("accepted", "amended", "canceled")],
    ("expired", "unfilled"),
    ("cancel-rejected", "unknown-order"),
    *[("amend-rejected", reason) for reason in ("unknown-order", "no-balance", "bad-volume")],
    *[("amend-rejected", reason) for reason in ("would-take", "no-book")],
    *[("rejected", reason) for reason in ("would-take", "no-balance", "bad-price", "bad-volume")],
    *[("rejected", reason) for reason in ("no-book", "unknown-instrument", "too-many-orders")],
    *[("rejected", reason) for reason in ("duplicate-id", "malformed")],
]


@pytest.mark.parametrize(
    ("seed", "exponent", "amounts"), [(1, 2, [90, 3_000, 900]), (2, 5, [60_000, 3_000, 600_000])]
)
def test_a_long_random_stream_is_answered_alike(seed, exponent, amounts):
    rng = random.Random(seed)
    pair = Pair(amounts, exponent)
    drift = 0
    for _ in range(6_000):
        drift = max(-40, min(40, drift + rng.choice([-1, 0, 1])))
        random_event(rng, pair, 100 + drift)
    pair.close()
    missing = [what for what in MUST_SEE if pair.seen[what] < 3]
    assert not missing, f"the stream showed {pair.seen}"


def random_event(rng, pair, mid):
    """One event of a market that moves about `mid`, or one request."""
    instrument = rng.choices([0, 1, 2], [5, 4, 1])[0]
    volume = rng.choice([*USUAL_VOLUMES, *USUAL_VOLUMES, 1, 0])
    order_id, side = rng.randint(1, 9), rng.randint(0, 1)
    price = mid + rng.randint(-4, 4)
    what = rng.choices(
        ["change", "snapshot", "trade", "new", "amend", "cancel", "nonsense", "lose", "half"],
        [30, 2, 20, 30, 12, 6, 1, 0.2, 0.5],
    )[0]
    if what == "change":
        levels = [(s, mid + (2 * s - 1) * rng.randint(-1, 5), volume) for s in (BID, ASK)]
        pair.group(instrument, levels[: rng.randint(1, 2)], 0)
    elif what == "snapshot":
        levels = [(s, mid + (2 * s - 1) * i, 4) for s in (BID, ASK) for i in range(1, 6)]
        pair.group(instrument, levels, SNAPSHOT)
    elif what == "trade":
        pair.tell("trade", instrument, side, price, volume, pair.clock, pair.clock)
    elif what == "new":
        kind, tif = int(rng.random() < 0.1), rng.choice([0, 0, 1, 2])
        terms = {"side": side, "price": price, "volume": volume, "type": kind}
        pair.ask(enums.NEW, instrument, order_id, **terms, time_in_force=tif)
    elif what == "amend":
        price = rng.choice([0, price])
        pair.ask(enums.AMEND, instrument, order_id, price=price, volume=rng.choice([0, volume]))
    elif what == "cancel":
        pair.ask(enums.CANCEL, instrument, order_id)
    elif what == "lose":
        pair.tell("lose")
    elif what == "half":
        pair.tell("update", instrument, side, price, volume, FIRST, pair.clock, pair.clock)
    else:
        field = rng.choice(["kind", "side", "type", "time_in_force", "instrument", "price"])
        terms = {"kind": enums.NEW, "instrument": 0, "price": mid, "volume": 2, field: -1}
        pair.ask(order_id=order_id, **terms)
