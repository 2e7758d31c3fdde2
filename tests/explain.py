"""A run's fills and balances explained, one by one, from what was recorded: in plain Python.

It shares nothing with the matching but the records: from the market's own events it finds, for each
fill, the trade or the levels that justify its price and volume; and it settles each fill itself.
Every assertion carries the fill it is about.
"""

from collections import defaultdict

from mantra.messages.enums import ACCEPTED, BID, CANCELED, FIRST, LAST, MAKER, NEW, SNAPSHOT


def as_dicts(rows):
    names = [n for n in rows.dtype.names if not n.startswith("unused")] if len(rows) else []
    columns = [rows[name].tolist() for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def sign(side):
    return 1 - 2 * side


def at_or_through(side, market_price, order_price):
    """Whether an order of `side` may be filled by a market at `market_price`."""
    return sign(side) * market_price <= sign(side) * order_price


def new_orders(run):
    """Order id -> its NEW request, with the volume that is left."""
    orders = {}
    for request in as_dicts(run.rows("requests")):
        if request["kind"] == NEW:
            assert request["order_id"] not in orders, request
            orders[request["order_id"]] = request | {"leaves": request["volume"]}
    return orders


def explain_fills(run):
    """Assert that each fill has a cause in the market; how many had which."""
    orders, fills = new_orders(run), as_dicts(run.rows("fills"))
    updates = as_dicts(run.rows("orders"))
    accepted = {u["order_id"] for u in updates if u["event"] == ACCEPTED}
    for fill in fills:
        order = orders[fill["order_id"]]
        order["leaves"] -= fill["volume"]
        assert fill["order_id"] in accepted, fill
        assert fill["volume"] > 0, fill
        assert fill["leaves"] == order["leaves"] >= 0, (fill, order)
        for field in ("instrument", "model", "side"):
            assert fill[field] == order[field], (fill, order)
    for update in updates:
        if update["event"] == CANCELED:
            assert update["leaves"] == orders[update["order_id"]]["leaves"] > 0, update
    by_trade, by_book, taken = _sort_by_cause(run, fills, orders)
    _explain_by_trades(by_trade, orders)
    _explain_by_books(run, by_book, taken, orders)
    return {"trade": sum(len(found) for _, found in by_trade), "book": count(by_book)} | {
        "taken": count(taken)
    }


def count(of):
    return sum(len(found) for found in of.values())


def _sort_by_cause(run, fills, orders):
    """Fills by the trade that caused them, by the group, and those that took from a book."""
    trades = {(t["instrument"], t["trade_id"]): t for t in as_dicts(run.rows("trades"))}
    by_trade, by_book, taken = {}, defaultdict(list), defaultdict(list)
    for fill in fills:
        key = (fill["instrument"], fill["trade_id"])
        trade = trades.get(key)  # A group may bear the same number: then the time tells, and price.
        if fill["liquidity"] != MAKER:
            taken[key].append(fill)
        elif (
            trade is not None
            and trade["ts_exchange"] == fill["ts_exchange"]
            and trade["side"] == 1 - fill["side"]
            and at_or_through(fill["side"], trade["price"], fill["price"])
        ):
            by_trade.setdefault(id(trade), (trade, []))[1].append(fill)
        else:
            by_book[key].append(fill)
    return list(by_trade.values()), by_book, taken


def _explain_by_trades(by_trade, orders):
    for trade, fills in by_trade:
        assert sum(fill["volume"] for fill in fills) <= trade["volume"], (trade, fills)
        for fill in fills:
            assert fill["price"] == orders[fill["order_id"]]["price"], fill


def _explain_by_books(run, by_book, taken, orders):
    """Walk the market's own books; at the group that a fill names, look whether it holds it."""
    books, unexplained = defaultdict(lambda: ({}, {})), {*by_book, *taken}
    for update in as_dicts(run.rows("l2")):
        apply_naively(books[update["instrument"]], update)
        key = (update["instrument"], update["sequence"])
        if not update["flags"] & LAST or key not in unexplained:
            continue
        unexplained.discard(key)
        book = books[update["instrument"]]
        for side in (0, 1):
            crossed = [fill for fill in by_book[key] if fill["side"] == side]
            _explain_crossing(book[1 - side], update, crossed, orders)
            _explain_taking(book[1 - side], [f for f in taken[key] if f["side"] == side], orders)
    assert not unexplained, unexplained


def _explain_crossing(opposite, update, fills, orders):
    """A group's levels reach orders that rest."""
    if not fills:
        return
    for fill in fills:
        assert fill["price"] == orders[fill["order_id"]]["price"], fill
        assert fill["ts_exchange"] == update["ts_exchange"], fill
    side = fills[0]["side"]
    worst = min(sign(side) * fill["price"] for fill in fills) * sign(side)
    for limit in {fill["price"] for fill in fills}:  # No level is used twice, at no limit.
        reach = sum(v for price, v in opposite.items() if at_or_through(side, price, limit))
        within = [f for f in fills if sign(side) * f["price"] <= sign(side) * limit]
        assert sum(fill["volume"] for fill in within) <= reach, (limit, worst, fills)


def _explain_taking(opposite, fills, orders):
    """Orders take levels at the levels' prices."""
    by_price = defaultdict(int)
    for fill in fills:
        order = orders[fill["order_id"]]
        limit = order["price"]
        assert limit == 0 or at_or_through(fill["side"], fill["price"], limit), (fill, order)
        by_price[fill["price"]] += fill["volume"]
    for price, volume in by_price.items():
        assert volume <= opposite.get(price, 0), (price, fills)


def apply_naively(book, update):
    """One level onto (bids, asks), each price -> volume."""
    if update["flags"] & (FIRST | SNAPSHOT) == FIRST | SNAPSHOT:
        book[0].clear()
        book[1].clear()
    levels = book[update["side"]]
    if update["volume"]:
        levels[update["price"]] = update["volume"]
    else:
        levels.pop(update["price"], None)


# ---------------------------------------------------------------- money


def ceil_div(a, b):
    return -(-a // b)


def hold_of(facts, order, leaves):
    """What a limit order holds with so much left: (asset, amount)."""
    if order["side"] == BID:
        multiplier, divisor = int(facts["quote_multiplier"]), int(facts["quote_divisor"])
        return int(facts["quote"]), ceil_div(order["price"] * leaves * multiplier, divisor)
    return int(facts["base"]), leaves * int(facts["base_multiplier"])


def settle(facts, order, fill):
    """What a fill of a limit order moves: {asset: change}; the fee's asset and amount.

    `order["leaves"]`: before the fill. A bid's cost is rounded up once for the whole order, not
    once a fill: it pays at most what its hold falls by.
    """
    multiplier, divisor = int(facts["quote_multiplier"]), int(facts["quote_divisor"])
    base, quote = int(facts["base"]), int(facts["quote"])
    in_base = fill["volume"] * int(facts["base_multiplier"])
    in_quote = fill["price"] * fill["volume"] * multiplier
    ppm = int(facts["maker_fee_ppm" if fill["liquidity"] == MAKER else "taker_fee_ppm"])
    if fill["side"] == BID:
        after = order["leaves"] - fill["volume"]
        released = hold_of(facts, order, order["leaves"])[1] - hold_of(facts, order, after)[1]
        fee = ceil_div(in_base * ppm, 1_000_000)
        return {base: in_base - fee, quote: -min(ceil_div(in_quote, divisor), released)}, base, fee
    got = in_quote // divisor
    fee = ceil_div(got * ppm, 1_000_000)
    return {base: -in_base, quote: got - fee}, quote, fee


def explain_balances(run, venue):
    """Assert that a venue's totals move by its fills alone, what is held by its orders; the ends.

    For runs of limit orders that are not amended. A fill is told with two rows, base and quote;
    an order's beginning and its end with one, of the asset that it holds.
    """
    instruments, orders = run.tables.instruments, new_orders(run)
    fills = [
        f for f in as_dicts(run.rows("fills")) if instruments[f["instrument"]]["venue"] == venue
    ]
    rows = [row for row in as_dicts(run.rows("balances")) if row["venue"] == venue]
    totals, held, open_holds, at, second = {}, {}, {}, 0, None
    for row in rows:
        asset, order_id = row["asset"], row["order_id"]
        if order_id == 0:
            assert asset not in totals, row
            totals[asset], held[asset] = row["total"], 0
            continue
        order = orders[order_id]
        facts = instruments[order["instrument"]]
        if row["total"] != totals[asset]:
            fill, at = fills[at], at + 1
            assert (order_id, row["ts_origin"]) == (fill["order_id"], fill["ts_origin"]), (
                row,
                fill,
            )
            changes, fee_asset, fee = settle(facts, order, fill)
            assert (fill["fee_asset"], fill["fee"]) == (fee_asset, fee), fill
            order["leaves"] -= fill["volume"]
            for moved, change in changes.items():
                totals[moved] += change
            second = (order_id, sum(changes) - asset)
            hold = hold_of(facts, order, order["leaves"])
        elif (order_id, asset) == second:
            second = None
            hold = open_holds[order_id]
        else:
            assert second is None, (row, second)
            is_new = order_id not in open_holds
            hold = hold_of(facts, order, order["leaves"] if is_new else 0)
        before = open_holds.get(order_id, (hold[0], 0))
        open_holds[order_id] = hold
        held[hold[0]] += hold[1] - before[1]
        assert row["total"] == totals[asset], (row, fills[at - 1])
        assert row["held"] == held[asset] >= 0, row
        assert row["held"] <= row["total"], row
    assert at == len(fills), (at, len(fills))
    assert not any(held.values()), held  # All orders are canceled in the end.
    return totals
