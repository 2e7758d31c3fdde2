"""Scenarios as text that a trader can read: what the market and we do, and what the venue says.

    book   99 x 5 | 101 x 5, 102 x 4     a snapshot: bids | asks
    level  ask 100 x 2, bid 98 x 0       one group of changes
    trade  sell 100 x 1 #70              an aggressor sold; #: trade id
    new    1 buy 100 x 2 [ioc|post-only]
    new    1 sell market x 2
    amend  1 101 x 3                     `_` leaves price or volume as it is
    cancel 1
    lose                                 updates were lost
    >      1 accepted 2 @ 100            the venue's answer to the line above, nothing else
    >      1 fill 2 @ 100 maker leaves 0 fee 0.002 BTC #70
    >      USD 9800 held 200             balances: all of the step, or none is shown
    >      2 canceled 1.5                what was left

The #number of a fill is the trade's id, or the number of the book's group (the first `book` is 1).
"""

from decimal import Decimal

from mantra.messages import enums
from mantra.messages.decimals import to_units
from mantra.messages.enums import AMEND, ASK, BID, CANCEL, FIRST, LAST, NEW, SNAPSHOT
from mantra.messages.tables import Tables

SIDES = {"buy": BID, "sell": ASK, "bid": BID, "ask": ASK}
TIMES = {"gtc": enums.GTC, "ioc": enums.IOC, "post-only": enums.POST_ONLY}
PRICE, VOLUME, AMOUNT = 1, 2, 8  # decimals
FUNDS = {"BTC": "10", "USD": "10000"}


def make_tables() -> Tables:
    """BTCUSD: ticks of 0.5, lots of 0.1, at least 0.2 and 10 USD; 0.1% maker, 0.2% taker."""
    tables = Tables()
    mock = tables.add_venue("mock")
    btc, usd = tables.add_asset("BTC", AMOUNT), tables.add_asset("USD", AMOUNT)
    sizes = {"tick_size": "0.5", "lot_size": "0.1", "min_volume": "0.2", "min_notional": "10"}
    fees = {"maker_fee_ppm": 1_000, "taker_fee_ppm": 2_000}
    units = {"price_exponent": PRICE, "volume_exponent": VOLUME}
    tables.add_instrument(mock, "BTCUSD", btc, usd, **units, **sizes, **fees)
    return tables


def decimal(value, exponent):
    """Units as the shortest decimal text."""
    text = f"{Decimal(value).scaleb(-exponent):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def say(message, tables):
    """A message of naive.py or compiled_exchange.py as a line of a scenario."""
    kind, number, *rest = message
    if kind == "balance":
        total, held = (decimal(amount, AMOUNT) for amount in rest[:2])
        return f"{tables.assets[number]['name'].decode()} {total} held {held}"
    if kind == "order":
        event, reason, price, leaves = rest[:4]
        words = [str(number), enums.ORDER_EVENTS[event]]
        if event in (enums.ACCEPTED, enums.AMENDED):
            at = decimal(price, PRICE) if price else "market"
            words.append(f"{decimal(leaves, VOLUME)} @ {at}")
        elif event in (enums.CANCELED, enums.EXPIRED):
            words.append(decimal(leaves, VOLUME))
        if reason not in (enums.REASON_NONE, enums.REASON_UNFILLED):
            words.append(enums.REASONS[reason])
        return " ".join(words)
    price, volume, leaves, fee, fee_asset, liquidity, cause = rest[:7]
    return (
        f"{number} fill {decimal(volume, VOLUME)} @ {decimal(price, PRICE)} "
        f"{enums.LIQUIDITIES[liquidity]} leaves {decimal(leaves, VOLUME)} "
        f"fee {decimal(fee, AMOUNT)} {tables.assets[fee_asset]['name'].decode()} #{cause}"
    )


class Player:
    """Plays a scenario on an exchange."""

    def __init__(self, make_exchange):
        self.tables = make_tables()
        funds = {self.tables.asset(a): to_units(amount, AMOUNT) for a, amount in FUNDS.items()}
        self.exchange = make_exchange(0, self.tables, funds)
        self.groups = 0

    def play(self, text):
        """Steps as (line of the scenario, what was expected, what was said)."""
        steps = []
        for raw in text.strip().splitlines():
            line = " ".join(raw.split("  #")[0].split())  # two blanks and # begin a comment
            if line.startswith("> "):
                steps[-1][1].append(line[2:])
            elif line:
                getattr(self, line.split()[0])(*line.split()[1:])
                said = [say(message, self.tables) for message in self.exchange.flush()]
                steps.append((line, [], said))
        return [
            (line, visible(expected, expected), visible(expected, said))
            for line, expected, said in steps
        ]

    def _group(self, levels, flags):
        self.groups += 1
        for number, (side, price, volume) in enumerate(levels):
            ends = FIRST * (number == 0) | LAST * (number == len(levels) - 1)
            terms = (price_units(price), volume_units(volume), flags | ends)
            self.exchange.update(0, side, *terms, self.groups, self.groups)

    def book(self, *words):
        bids, asks = " ".join(words).split("|")
        levels = [(BID, *level.split(" x ")) for level in bids.split(",") if level.strip()]
        levels += [(ASK, *level.split(" x ")) for level in asks.split(",") if level.strip()]
        self._group(levels, SNAPSHOT)

    def level(self, *words):
        changes = [change.split() for change in " ".join(words).split(",")]
        self._group([(SIDES[side], price, volume) for side, price, _, volume in changes], 0)

    def trade(self, side, price, _, volume, number):
        terms = (SIDES[side], price_units(price), volume_units(volume), int(number[1:]))
        self.exchange.trade(0, *terms, self.groups)

    def lose(self):
        self.exchange.lose()

    def _request(self, kind, order_id, **terms):
        defaults = {"side": 0, "type": enums.LIMIT, "time_in_force": enums.GTC}
        defaults |= {"price": 0, "volume": 0, "instrument": 0, "model": 0}
        self.exchange.request(kind=kind, order_id=int(order_id), **(defaults | terms))

    def new(self, order_id, side, price, _, volume, time_in_force="gtc"):
        terms = {"side": SIDES[side], "volume": volume_units(volume)}
        if price == "market":
            terms["type"] = enums.MARKET
        else:
            terms |= {"price": price_units(price), "time_in_force": TIMES[time_in_force]}
        self._request(NEW, order_id, **terms)

    def amend(self, order_id, price, _, volume):
        terms = {"price": price_units(price), "volume": volume_units(volume)}
        self._request(AMEND, order_id, **terms)

    def cancel(self, order_id):
        self._request(CANCEL, order_id)


def price_units(text):
    return 0 if text == "_" else to_units(text.strip(), PRICE)


def volume_units(text):
    return 0 if text == "_" else to_units(text.strip(), VOLUME)


def visible(expected, said):
    """What was said; the balances last, for they have their own queue, or left out if not asked."""
    balances = [line for line in said if line.split()[0] in FUNDS]
    others = [line for line in said if line not in balances]
    asked = any(line.split()[0] in FUNDS for line in expected)
    return others + balances if asked else others
