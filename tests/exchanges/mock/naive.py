"""A slow, obvious exchange: dicts, lists, fractions. It says what the compiled one must say.

A message is a tuple; the first word says its kind:

    ("order", order_id, event, reason, price, leaves, instrument, model, ts)
    ("fill", order_id, price, volume, leaves, fee, fee_asset, liquidity, trade_id, side, ts)
    ("balance", asset, total, held, order_id, ts)
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from mantra.messages import enums
from mantra.messages.enums import (
    AMEND,
    ASK,
    BID,
    CANCEL,
    FIRST,
    IOC,
    LAST,
    LIMIT,
    MAKER,
    MARKET,
    NEW,
    POST_ONLY,
    SNAPSHOT,
    TAKER,
)

REFUSALS = {NEW: enums.REJECTED, AMEND: enums.AMEND_REJECTED, CANCEL: enums.CANCEL_REJECTED}


class RefusedError(Exception):
    """A request is refused, for the reason given."""


@dataclass
class Order:
    order_id: int
    instrument: int
    side: int
    price: int | None  # None: market
    volume: int
    leaves: int
    time_in_force: int
    model: int
    held: int = 0


class Market:
    """One instrument: its facts, the levels of both sides, our resting orders in time order."""

    def __init__(self, tables, row):
        self.row = row
        self.base, self.quote = int(row["base"]), int(row["quote"])
        base_exponent = int(tables.assets[self.base]["exponent"])
        quote_exponent = int(tables.assets[self.quote]["exponent"])
        self.per_volume = Fraction(10) ** (base_exponent - int(row["volume_exponent"]))
        digits = int(row["price_exponent"]) + int(row["volume_exponent"])
        self.per_product = Fraction(10) ** (quote_exponent - digits)
        self.levels = {BID: {}, ASK: {}}
        self.resting = []
        self.sequence = 0
        self.complete, self.lost = False, False

    def base_amount(self, volume):
        return int(volume * self.per_volume)

    def cost(self, price, volume):
        return math.ceil(price * volume * self.per_product)

    def proceeds(self, price, volume):
        return math.floor(price * volume * self.per_product)

    def best(self, side):
        """Best price of a side of the book, None if it is empty."""
        prices = self.levels[side]
        return (max(prices) if side == BID else min(prices)) if prices else None

    def reached(self, side, price):
        """Whether the opposite side is at or through the price of an order of `side`."""
        opposite = self.best(1 - side)
        if opposite is None:
            return False
        return opposite <= price if side == BID else opposite >= price

    def take(self, side, price, volume):
        self.levels[side][price] -= volume
        if self.levels[side][price] == 0:
            del self.levels[side][price]

    def queue(self, side):
        """Resting orders of a side, first to be filled first."""
        mine = [order for order in self.resting if order.side == side]
        return sorted(mine, key=lambda order: -order.price if side == BID else order.price)


class NaiveExchange:
    def __init__(self, venue, tables, amounts, orders_max=1024):
        self.total = dict.fromkeys(range(len(tables.assets)), 0) | dict(amounts)
        self.held = dict.fromkeys(self.total, 0)
        self.instruments = len(tables.instruments)
        self.markets = {
            int(row["id"]): Market(tables, row)
            for row in tables.instruments
            if row["venue"] == venue
        }
        self.orders_max = orders_max
        self.ts = 0
        self.said = []

    def flush(self):
        said, self.said = self.said, []
        return said

    # ------------------------------------------------------------ market data

    def update(self, instrument, side, price, volume, flags, sequence, ts):
        if instrument not in self.markets:
            return
        market = self.markets[instrument]
        if flags & FIRST and flags & SNAPSHOT:
            market.levels, market.lost = {BID: {}, ASK: {}}, False
        market.levels[side].pop(price, None)
        if volume > 0:
            market.levels[side][price] = volume
        self.ts, market.sequence = ts, sequence
        market.complete = bool(flags & LAST)
        if market.complete and not market.lost:
            self.match_book(market)

    def match_book(self, market):
        for side in (BID, ASK):
            for order in market.queue(side):
                while order.leaves and market.reached(side, order.price):
                    price = market.best(1 - side)
                    volume = min(order.leaves, market.levels[1 - side][price])
                    market.take(1 - side, price, volume)
                    self.fill(market, order, order.price, volume, MAKER, market.sequence)

    def trade(self, instrument, side, price, volume, trade_id, ts):
        if instrument not in self.markets:
            return
        market = self.markets[instrument]
        self.ts = ts
        if market.lost:
            return
        for order in market.queue(1 - side):
            reached = price <= order.price if order.side == BID else price >= order.price
            filled = min(volume, order.leaves) if reached else 0
            if filled:
                volume -= filled
                self.fill(market, order, order.price, filled, MAKER, trade_id)

    def lose(self):
        for market in self.markets.values():
            market.lost, market.complete, market.levels = True, False, {BID: {}, ASK: {}}

    # ------------------------------------------------------------ money

    def hold(self, market, order, amount):
        asset = market.quote if order.side == BID else market.base
        change = amount - order.held
        self.held[asset] += change
        order.held = amount
        return asset if change else None

    def free(self, asset):
        return self.total[asset] - self.held[asset]

    def holding(self, market, side, price, leaves):
        return market.cost(price, leaves) if side == BID else market.base_amount(leaves)

    def fill(self, market, order, price, volume, liquidity, trade_id):
        order.leaves -= volume
        rate = int(market.row["maker_fee_ppm" if liquidity == MAKER else "taker_fee_ppm"])
        if order.side == BID:
            pay, get, got = market.quote, market.base, market.base_amount(volume)
            paid = market.cost(price, volume)
        else:
            pay, get, got = market.base, market.quote, market.proceeds(price, volume)
            paid = market.base_amount(volume)
        if order.price is None and order.side == BID:
            hold = order.held - paid
        else:
            hold = self.holding(market, order.side, order.price, order.leaves)
        paid = min(paid, order.held - hold)
        fee = math.ceil(Fraction(got * rate, 1_000_000))
        self.hold(market, order, hold)
        self.total[pay] -= paid
        self.total[get] += got - fee
        if order.leaves == 0 and order in market.resting:
            market.resting.remove(order)
        self.tell_balance(market.base, order.order_id)
        self.tell_balance(market.quote, order.order_id)
        what = (order.order_id, price, volume, order.leaves, fee, get, liquidity, trade_id)
        self.said.append(("fill", *what, order.side, self.ts))

    # ------------------------------------------------------------ saying

    def tell_balance(self, asset, order_id):
        if asset is not None:
            line = ("balance", asset, self.total[asset], self.held[asset], order_id, self.ts)
            self.said.append(line)

    def tell(self, order, event, reason=enums.REASON_NONE):
        price = order.price or 0
        ids = (order.instrument, order.model, self.ts)
        self.said.append(("order", order.order_id, event, reason, price, order.leaves, *ids))

    # ------------------------------------------------------------ requests

    def request(self, **request):
        """Answer a request: kind, order_id, instrument, side, type, time_in_force, price, …"""
        instrument, order_id = request["instrument"], request["order_id"]
        known = 0 <= instrument < self.instruments
        if known and instrument not in self.markets:
            return
        handlers = {NEW: self.new, AMEND: self.amend, CANCEL: self.cancel}
        try:
            if not known:
                raise RefusedError(enums.REASON_UNKNOWN_INSTRUMENT)
            if request["kind"] not in handlers:
                raise RefusedError(enums.REASON_MALFORMED)
            handlers[request["kind"]](self.markets[instrument], request)
        except RefusedError as refused:
            live = self.live(instrument, order_id) if request["kind"] == AMEND and known else None
            price, leaves = (live.price, live.leaves) if live else (request["price"], 0)
            event = REFUSALS.get(request["kind"], enums.REJECTED)
            ids = (instrument, request["model"], self.ts)
            self.said.append(("order", order_id, event, refused.args[0], price, leaves, *ids))

    def live(self, instrument, order_id):
        resting = self.markets[instrument].resting if instrument in self.markets else []
        return next((order for order in resting if order.order_id == order_id), None)

    def check_size(self, market, price, volume):
        row = market.row
        ok = volume > 0 and volume % int(row["lot_size"]) == 0 and volume >= row["min_volume"]
        if not ok or (price and market.cost(price, volume) < row["min_notional"]):
            raise RefusedError(enums.REASON_BAD_VOLUME)
        limit = (1 << 63) - 1
        if market.cost(price or 0, volume) >= limit or market.base_amount(volume) >= limit:
            raise RefusedError(enums.REASON_BAD_VOLUME)

    def check_price(self, market, price):
        if not 0 < price <= 1 << 60 or price % int(market.row["tick_size"]):
            raise RefusedError(enums.REASON_BAD_PRICE)

    def check_book(self, market):
        if market.lost or not market.complete:
            raise RefusedError(enums.REASON_NO_BOOK)

    def new(self, market, request):
        side, volume = request["side"], request["volume"]
        is_limit = request["type"] == LIMIT
        order_id, time_in_force = request["order_id"], request["time_in_force"]
        if order_id <= 0 or side not in (BID, ASK) or request["type"] not in (LIMIT, MARKET):
            raise RefusedError(enums.REASON_MALFORMED)
        if time_in_force not in (enums.GTC, IOC, POST_ONLY):
            raise RefusedError(enums.REASON_MALFORMED)
        everywhere = [order for m in self.markets.values() for order in m.resting]
        if order_id in [order.order_id for order in everywhere]:
            raise RefusedError(enums.REASON_DUPLICATE_ID)
        if is_limit:
            self.check_price(market, request["price"])
        self.check_size(market, request["price"] if is_limit else market.best(1 - side), volume)
        self.check_book(market)
        price = request["price"] if is_limit else None
        if is_limit and time_in_force == POST_ONLY and market.reached(side, price):
            raise RefusedError(enums.REASON_WOULD_TAKE)
        if side == BID and not is_limit:
            hold, wanted = 0, volume
            for level in sorted(market.levels[ASK]):
                taken = min(wanted, market.levels[ASK][level])
                hold += market.cost(level, taken) if taken else 0
                wanted -= taken
        else:
            hold = self.holding(market, side, price, volume)
        if hold > self.free(market.quote if side == BID else market.base):
            raise RefusedError(enums.REASON_NO_BALANCE)
        if len(everywhere) >= self.orders_max:
            raise RefusedError(enums.REASON_TOO_MANY_ORDERS)
        ids = (order_id, request["instrument"], side)
        tif = time_in_force if is_limit else IOC
        order = Order(*ids, price, volume, volume, tif, request["model"])
        changed = self.hold(market, order, hold)
        self.tell_balance(changed, order_id)
        self.tell(order, enums.ACCEPTED)
        self.take_and_rest(market, order)

    def take_and_rest(self, market, order):
        while order.leaves:
            price = market.best(1 - order.side)
            if price is None:
                break
            if order.price is not None and not market.reached(order.side, order.price):
                break
            volume = min(order.leaves, market.levels[1 - order.side][price])
            market.take(1 - order.side, price, volume)
            self.fill(market, order, price, volume, TAKER, market.sequence)
        if order.leaves and order.time_in_force == IOC:
            self.end(market, order, enums.EXPIRED, enums.REASON_UNFILLED)
        elif order.leaves:
            market.resting.append(order)

    def end(self, market, order, event, reason=enums.REASON_NONE):
        changed = self.hold(market, order, 0)
        self.tell_balance(changed, order.order_id)
        self.tell(order, event, reason)

    def cancel(self, market, request):
        order = self.live(request["instrument"], request["order_id"])
        if order is None:
            raise RefusedError(enums.REASON_UNKNOWN_ORDER)
        market.resting.remove(order)
        self.end(market, order, enums.CANCELED)

    def amend(self, market, request):
        order = self.live(request["instrument"], request["order_id"])
        if order is None:
            raise RefusedError(enums.REASON_UNKNOWN_ORDER)
        price, volume = request["price"] or order.price, request["volume"] or order.volume
        filled = order.volume - order.leaves
        self.check_price(market, price)
        if volume <= filled:
            raise RefusedError(enums.REASON_BAD_VOLUME)
        self.check_size(market, price, volume)
        self.check_book(market)
        moves = price != order.price or volume > order.volume
        if moves and order.time_in_force == POST_ONLY and market.reached(order.side, price):
            raise RefusedError(enums.REASON_WOULD_TAKE)
        hold = self.holding(market, order.side, price, volume - filled)
        asset = market.quote if order.side == BID else market.base
        if hold - order.held > self.free(asset):
            raise RefusedError(enums.REASON_NO_BALANCE)
        if moves:
            market.resting.remove(order)
        order.price, order.volume, order.leaves = price, volume, volume - filled
        changed = self.hold(market, order, hold)
        self.tell_balance(changed, order.order_id)
        self.tell(order, enums.AMENDED)
        if moves:
            self.take_and_rest(market, order)
