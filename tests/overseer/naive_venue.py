"""A naive exchange: dicts and lists. It answers what it likes, when it likes, queue by queue.

It keeps true balances with holds, and convicts whoever spends what is not there, has two live
orders for one row, or asks twice before it was answered.
"""

from mantra.messages.enums import (
    ACCEPTED,
    AMEND,
    AMEND_REJECTED,
    AMENDED,
    ASK,
    BID,
    CANCEL_REJECTED,
    CANCELED,
    EXPIRED,
    IOC,
    NEW,
    REASON_UNKNOWN_ORDER,
    REJECTED,
)
from tests.overseer.overseer_desk import Desk

QUOTE_UNITS = 10  # amount = price × volume × this, with the desk's exponents
BASE_UNITS = 1000


class NaiveVenue:
    """One venue. What it says goes into three FIFOs that are delivered independently."""

    def __init__(self, desk: Desk, index: int, chance, totals: dict[int, int]):
        self.desk, self.index, self.chance = desk, index, chance
        self.totals = dict(totals)
        self.held = dict.fromkeys(totals, 0)
        self.open: dict[int, dict] = {}
        self.inbox: list = []
        self.said: dict[str, list] = {"orders": [], "fills": [], "balances": []}
        self.filled: dict[tuple[int, int], int] = {}  # signed volume by model and instrument
        for asset in totals:
            self.tell_balance(asset, 0)

    # ------------------------------------------------------------ what it keeps

    def cost(self, order, volume):
        return volume * (BASE_UNITS if order["side"] == ASK else order["price"] * QUOTE_UNITS)

    def paid_in(self, order):
        base = order["instrument"] % 2  # BTC is asset 0, ETH 1, USDT 2
        return base if order["side"] == ASK else 2

    def hold(self, order, amount):
        asset = self.paid_in(order)
        self.held[asset] += amount
        assert 0 <= self.held[asset] <= self.totals[asset], "spent what is not there"
        self.tell_balance(asset, order["order_id"])

    def tell_balance(self, asset, order_id):
        self.said["balances"].append(
            {
                "venue": self.index,
                "asset": asset,
                "order_id": order_id,
                "total": self.totals[asset],
                "held": self.held[asset],
            }
        )

    def tell(self, request, event, reason=0, leaves=0):
        self.said["orders"].append(
            {
                "order_id": request["order_id"],
                "event": event,
                "reason": reason,
                "leaves": leaves,
                "model": request["model"],
                "instrument": request["instrument"],
            }
        )

    # ------------------------------------------------------------ what it does

    def handle(self):
        """Handle the oldest request."""
        request = self.inbox.pop(0)
        kind = request["kind"]
        if kind == NEW:
            self.new(request)
        elif request["order_id"] not in self.open:
            answer = AMEND_REJECTED if kind == AMEND else CANCEL_REJECTED
            self.tell(request, answer, REASON_UNKNOWN_ORDER)
        elif kind == AMEND:
            self.amend(request)
        elif self.chance.random() < 0.1:
            self.tell(request, CANCEL_REJECTED)
        else:
            self.end(request["order_id"], CANCELED)

    def new(self, request):
        rows = [(o["model"], o["row"]) for o in self.open.values()]
        assert (request["model"], request["row"]) not in rows, "two live orders for one row"
        available = self.totals[self.paid_in(request)] - self.held[self.paid_in(request)]
        assert self.cost(request, request["volume"]) <= available, "over-committed"
        if self.chance.random() < 0.15:
            self.tell(request, REJECTED)
            return
        order = dict(request) | {"leaves": request["volume"]}
        self.open[request["order_id"]] = order
        self.hold(order, self.cost(order, order["leaves"]))
        self.tell(request, ACCEPTED, leaves=order["leaves"])
        if request["time_in_force"] == IOC:
            if self.chance.random() < 0.6:
                self.trade(order)
            if order["leaves"]:
                self.end(request["order_id"], EXPIRED)

    def amend(self, request):
        order = self.open[request["order_id"]]
        leaves = request["volume"] - (order["volume"] - order["leaves"])
        if leaves <= 0 or self.chance.random() < 0.3:
            self.tell(request, AMEND_REJECTED)
            return
        before = self.cost(order, order["leaves"])
        order |= {"price": request["price"], "volume": request["volume"], "leaves": leaves}
        self.hold(order, self.cost(order, leaves) - before)
        self.tell(request, AMENDED, leaves=leaves)

    def trade(self, order):
        """Fill some or all of an order at its price."""
        volume = self.chance.randint(1, order["leaves"])
        paid, got = self.paid_in(order), order["instrument"] % 2
        received = volume * BASE_UNITS
        if order["side"] == ASK:
            got, received = 2, volume * order["price"] * QUOTE_UNITS
        order["leaves"] -= volume
        self.totals[paid] -= self.cost(order, volume)
        self.held[paid] -= self.cost(order, volume)
        self.totals[got] += received
        sign = 1 if order["side"] == BID else -1
        key = order["model"], order["instrument"]
        self.filled[key] = self.filled.get(key, 0) + sign * volume
        self.said["fills"].append(
            {
                "order_id": order["order_id"],
                "volume": volume,
                "price": order["price"],
                "leaves": order["leaves"],
                "side": order["side"],
                "model": order["model"],
                "instrument": order["instrument"],
                "fee_asset": 2,
            }
        )
        self.tell_balance(paid, order["order_id"])
        self.tell_balance(got, order["order_id"])
        if order["leaves"] == 0:
            self.open.pop(order["order_id"])

    def end(self, order_id, event):
        order = self.open.pop(order_id)
        self.hold(order, -self.cost(order, order["leaves"]))
        self.tell(order, event, leaves=order["leaves"])

    # ------------------------------------------------------------ chance

    def live_a_little(self):
        """Handle a request, trade, or cancel an order unasked: as chance has it."""
        if self.inbox and self.chance.random() < 0.5:
            self.handle()
        if self.open and self.chance.random() < 0.3:
            self.trade(self.chance.choice(list(self.open.values())))
        if self.open and self.chance.random() < 0.03:
            self.end(self.chance.choice(list(self.open)), CANCELED)

    def deliver(self, some=True):
        """Deliver what was said: of each queue as much as chance has it, or all."""
        delivered = []
        for queue, messages in self.said.items():
            count = self.chance.randint(0, len(messages)) if some else len(messages)
            for message in messages[:count]:
                self.desk.say(queue, **message)
                if queue == "orders" or (queue == "fills" and message["leaves"] == 0):
                    delivered.append(message)
            del messages[:count]
        return delivered
