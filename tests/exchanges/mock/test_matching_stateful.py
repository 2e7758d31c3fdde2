"""The compiled exchange says what a naive one says, message by message, on random streams."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mantra.messages import enums
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.tables import Tables
from tests.exchanges.mock.compiled_exchange import CompiledExchange
from tests.exchanges.mock.naive import NaiveExchange

ORDERS_MAX = 6
PRICES = st.integers(94, 106)
VOLUMES = st.integers(0, 12)
ORDER_IDS = st.integers(0, 9)
INSTRUMENTS = st.integers(0, 2)  # 0 and 1 are this venue's, 2 is another's
SIDES = st.sampled_from([BID, ASK])


def make_tables() -> Tables:
    """Two instruments on venue 0 whose quote amounts must be rounded, one with a rebate."""
    tables = Tables()
    mock, other = tables.add_venue("mock"), tables.add_venue("other")
    btc, eth, usd = (
        tables.add_asset("BTC", 3),
        tables.add_asset("ETH", 2),
        tables.add_asset("USD", 2),
    )
    units = {"price_exponent": 1, "volume_exponent": 2}
    fees = {"maker_fee_ppm": 1_000, "taker_fee_ppm": 30_000}
    rebate = {"maker_fee_ppm": -20_000, "taker_fee_ppm": 2_500}
    tables.add_instrument(mock, "BTCUSD", btc, usd, **units, **fees, min_notional="0.02")
    tables.add_instrument(mock, "ETHBTC", eth, btc, **units, **rebate, lot_size="0.02")
    tables.add_instrument(other, "BTCUSD", btc, usd, **units)
    return tables


class Twins(RuleBasedStateMachine):
    """Both exchanges are told the same; whatever they say must be the same."""

    @initialize(amounts=st.tuples(*[st.integers(0, 3_000)] * 3))
    def open(self, amounts):
        tables = make_tables()
        given = dict(enumerate(amounts))
        self.naive = NaiveExchange(0, tables, given, ORDERS_MAX)
        self.fast = CompiledExchange(0, tables, given, ORDERS_MAX)
        self.start, self.moved = given, dict.fromkeys(given, 0)
        self.clock = 1

    def tell(self, verb, *args, **kwargs):
        getattr(self.naive, verb)(*args, **kwargs)
        getattr(self.fast, verb)(*args, **kwargs)
        expected = self.naive.flush()
        assert self.fast.flush() == expected
        self.clock += 1

    @rule(
        instrument=INSTRUMENTS,
        bids=st.dictionaries(st.integers(94, 100), st.integers(1, 9)),
        asks=st.dictionaries(st.integers(99, 106), st.integers(1, 9)),
    )
    def snapshot(self, instrument, bids, asks):
        levels = [(BID, *level) for level in bids.items()] + [
            (ASK, *level) for level in asks.items()
        ]
        self.group(instrument, levels or [(BID, 90, 1)], SNAPSHOT)

    @rule(
        instrument=INSTRUMENTS,
        levels=st.lists(st.tuples(SIDES, PRICES, VOLUMES), min_size=1, max_size=4),
    )
    def change(self, instrument, levels):
        self.group(instrument, levels, 0)

    def group(self, instrument, levels, flags):
        for number, level in enumerate(levels):
            ends = FIRST * (number == 0) | LAST * (number == len(levels) - 1)
            self.tell("update", instrument, *level, flags | ends, self.clock, self.clock)

    @rule(instrument=INSTRUMENTS, side=SIDES, price=PRICES, volume=VOLUMES)
    def half_a_group(self, instrument, side, price, volume):
        self.tell("update", instrument, side, price, volume, FIRST, self.clock, self.clock)

    @rule(instrument=INSTRUMENTS, side=SIDES, price=PRICES, volume=VOLUMES)
    def trade(self, instrument, side, price, volume):
        self.tell("trade", instrument, side, price, volume, self.clock, self.clock)

    @rule(
        instrument=INSTRUMENTS,
        order_id=ORDER_IDS,
        side=SIDES,
        price=PRICES,
        volume=VOLUMES,
        kind=st.sampled_from([enums.LIMIT] * 5 + [enums.MARKET]),
        tif=st.integers(0, 2),
    )
    def new(self, instrument, order_id, side, price, volume, kind, tif):
        self.ask(
            enums.NEW,
            instrument,
            order_id,
            side=side,
            price=price,
            volume=volume,
            type=kind,
            time_in_force=tif,
        )

    @rule(instrument=INSTRUMENTS, order_id=ORDER_IDS, price=st.just(0) | PRICES, volume=VOLUMES)
    def amend(self, instrument, order_id, price, volume):
        self.ask(enums.AMEND, instrument, order_id, price=price, volume=volume)

    @rule(instrument=INSTRUMENTS, order_id=ORDER_IDS)
    def cancel(self, instrument, order_id):
        self.ask(enums.CANCEL, instrument, order_id)

    @rule(
        field=st.sampled_from(["kind", "side", "type", "time_in_force", "instrument"]),
        value=st.sampled_from([-1, 3, 100]),
    )
    def nonsense(self, field, value):
        self.ask(
            **{"kind": enums.NEW, "instrument": 0, "order_id": 5, "price": 100, "volume": 2}
            | {field: value}
        )

    def ask(self, kind, instrument, order_id, **fields):
        defaults = {"side": 0, "type": 0, "time_in_force": 0, "price": 0, "volume": 0, "model": 3}
        fields = defaults | fields
        self.tell("request", kind=kind, instrument=instrument, order_id=order_id, **fields)

    @rule()
    def lose(self):
        self.tell("lose")

    @invariant()
    def holds_are_those_of_the_open_orders(self):
        accounts = self.fast.state.accounts
        assert all(accounts["held"] >= 0)
        assert all(accounts["held"] <= accounts["total"])
        held = dict.fromkeys(range(len(accounts)), 0)
        for order in self.fast.open_orders:
            row = self.fast.state.instruments[order["instrument"]]
            held[int(row["quote"] if order["side"] == BID else row["base"])] += int(order["held"])
        assert held == dict(enumerate(accounts["held"].tolist()))

    def teardown(self):
        if not hasattr(self, "fast"):
            return
        for order in list(self.fast.open_orders):
            self.ask(enums.CANCEL, int(order["instrument"]), int(order["order_id"]))
        assert self.fast.state.accounts["held"].tolist() == [0, 0, 0]
        assert not self.fast.state.index.any()
        assert self.fast.state.head["open"] == 0


Twins.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestTwins = Twins.TestCase
