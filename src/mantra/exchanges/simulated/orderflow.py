"""The order flow: one event of one market at a time, as trades and one atomic group of levels.

Pure: state in, state out; no clock, no queue. Integers only, and its own random numbers: the same
seed gives the same bytes, compiled or not, on every machine.

    while the spread is wider than a tick, mostly    somebody closes it: from either side
    else, an aggressive order                        trades against the touch, and through it
          a side's best levels                       withdraw at once: so prices jump
          the touch                                  grows, shrinks, is now and then canceled
          behind it                                  levels come, change, go: one to eight

Aggressive orders excite more of themselves: each adds HEAT to their chance, which cools with every
event, so that one is followed by 0.6 others (a Hawkes process in event time).

A level that comes finds an empty stretch of the book, one that goes or changes is found in it:
so density holds itself, at about one level in twenty ticks. A trade comes before the group in
which its level is smaller, as venues send them.

Time. A group of m messages takes m × period × (1/2 + 1/2 × pause), the mean of pauses being 1: so
the rate is what it is set to, whatever the events are, and is never above twice that. Pauses are
exponential, ten times shorter than the mean in the busy state, and long in the quiet one.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.exchanges.simulated import layout
from mantra.exchanges.simulated.distributions import BITS, QUANTILES, UNIT
from mantra.icc.memory import records_at
from mantra.messages import enums

PS_PER_NS = 1000
MASK = QUANTILES - 1
MASK_57 = (1 << 57) - 1
LOTS_MAX = 1 << 30

# Chances of 1024.
CLOSE = 700  # a wide spread is acted on
CLOSE_WHOLLY = 900  # …down to one tick
ORDER_BUSY, ORDER_QUIET = 14, 7  # an aggressive order that no other excited
HEAT, COOLING_BITS = 38, 4  # what one adds to the chance, and the share lost an event: 1/16
WITHDRAW_BUSY, WITHDRAW_QUIET = 5, 3
TOUCH = 290  # a change of the touch
CANCEL_TOUCH = 6
TURN = 300  # an aggressive order is on the other side than the last
CHANGE = 205  # what is found behind the touch changes, else it goes
GAP_MAX = 39  # ticks between two levels of the book to begin with
SPACING = 16  # ticks behind a place in which a level counts as found there

# The two states of arrivals. Of messages, 3 in 4 come in the busy one, with pauses of 0.1 of the
# mean: 0.75 × 0.1 + 0.25 × 3.7 = 1.
BUSY_PAUSE, QUIET_PAUSE = 102, 3790  # in UNITs
LEAVE_BUSY, LEAVE_QUIET = 1400, 4200  # chances of 2 ** 20 a message


@compiled
def draw(generator):
    """64 random bits: Marsaglia's xorshift with shifts 13, 7, 17 (J. Stat. Softw. 8(14), 2003)."""
    x = generator["random"]
    x ^= x << 13
    x ^= (x >> 7) & MASK_57
    x ^= x << 17
    generator["random"] = x
    return x


@compiled
def next_event(generator_address):
    """Make the next event: its trades and its group, ready to send. Returns how many messages."""
    generator = records_at(generator_address, 1, layout.GENERATOR)[0]
    markets = records_at(generator["markets"], generator["markets_count"], layout.MARKET)
    advance_clock(generator)
    generator["trades_count"] = generator["l2_count"] = 0
    if generator["snapshots"] < len(markets):
        market = markets[generator["snapshots"]]
        generator["snapshots"] += 1
        snapshot(generator, market)
        finish_group(generator, market, enums.SNAPSHOT)
    else:
        bits = draw(generator)
        market = markets[(bits >> 20 & 0xFFFF) * len(markets) >> 16]
        happen(generator, market, bits)
        finish_group(generator, market, np.int64(0))
    return generator["trades_count"] + generator["l2_count"]


@compiled
def advance_clock(generator):
    """The time that the event made last took. Snapshots take a mean one."""
    messages = generator["trades_count"] + generator["l2_count"]
    took_ps = messages * generator["period_ps"]
    if messages < layout.GROUP_MAX // 2:
        bits = draw(generator)
        leave = LEAVE_QUIET if generator["quiet"] else LEAVE_BUSY
        if bits >> 40 & 0xFFFFF < leave * messages:
            generator["quiet"] ^= 1
        scale = QUIET_PAUSE if generator["quiet"] else BUSY_PAUSE
        pause = (generator["tables"][layout.PAUSES, bits >> 10 & MASK] * np.int64(scale)) >> BITS
        took_ps = (took_ps * (UNIT + pause)) >> (BITS + 1)
    generator["clock_ps"] += took_ps
    generator["ts_exchange"] = generator["ts_start"] + generator["clock_ps"] // PS_PER_NS


@compiled
def happen(generator, market, bits):
    """Something happens in a market."""
    order = (ORDER_QUIET if generator["quiet"] else ORDER_BUSY) + (market["heat"] >> COOLING_BITS)
    withdraw = order + (WITHDRAW_QUIET if generator["quiet"] else WITHDRAW_BUSY)
    market["heat"] -= market["heat"] >> COOLING_BITS
    chance = bits & MASK
    if market["best"][enums.ASK] - market["best"][enums.BID] > 1 and bits >> 10 & MASK < CLOSE:
        close_spread(generator, market)
    elif chance < order:
        market["heat"] += HEAT << COOLING_BITS
        aggressive_order(generator, market)
    elif chance < withdraw:
        withdraw_best(generator, market)
    elif chance < withdraw + TOUCH:
        change_touch(generator, market)
    else:
        change_behind(generator, market)
    if generator["l2_count"] == 0:  # What was to happen would have left a side all but empty.
        side = bits >> 50 & 1
        lots = draw_lots(generator, market, layout.TOUCH_VOLUMES)
        put_level(generator, market, side, market["best"][side], lots)


@compiled
def close_spread(generator, market):
    """A limit order inside the spread, mostly next to the other side's best."""
    bits = draw(generator)
    bid, ask = market["best"][enums.BID], market["best"][enums.ASK]
    away = (bid + ask) // 2 - layout.CENTER
    pull = max(abs(away) - layout.FREE, 0) * UNIT // layout.FREE  # certain from 1.5 × FREE on
    if away > 0:
        pull = -pull
    offset = (bits >> 20 & 0xFFFF) * (ask - bid - 1) >> 16
    if bits >> 10 & MASK < CLOSE_WHOLLY:
        offset = np.int64(0)
    lots = draw_lots(generator, market, layout.TOUCH_VOLUMES)
    if bits & MASK < UNIT // 2 + pull:
        put_level(generator, market, enums.BID, ask - 1 - offset, lots)
    else:
        put_level(generator, market, enums.ASK, bid + 1 + offset, lots)


@compiled
def aggressive_order(generator, market):
    """An order that takes: some trades, each with one resting order at the best price then."""
    bits = draw(generator)
    if bits & MASK < TURN:
        market["aggressor"] ^= 1
    resting = market["aggressor"] ^ 1
    for _ in range(generator["tables"][layout.FILLS, bits >> 10 & MASK]):
        index = market["best"][resting]
        there = np.int64(market["grid"][index])
        lots = min(draw_lots(generator, market, layout.TRADE_VOLUMES), there)
        if lots == there and market["levels"][resting] <= layout.LEVELS_MIN:
            return
        market["trade_id"] += 1
        trade = generator["trades"][generator["trades_count"]]
        trade["ts_exchange"], trade["trade_id"] = generator["ts_exchange"], market["trade_id"]
        trade["price"] = (market["first_tick"] + index) * market["tick_size"]
        trade["volume"] = lots * market["lot_size"]
        trade["instrument"], trade["side"] = market["instrument"], market["aggressor"]
        generator["trades_count"] += 1
        put_level(generator, market, resting, index, there - lots)


@compiled
def withdraw_best(generator, market):
    """The best levels of a side are canceled at once."""
    bits = draw(generator)
    side = bits >> 20 & 1
    for _ in range(generator["tables"][layout.WITHDRAWN, bits >> 10 & MASK]):
        if market["levels"][side] > layout.LEVELS_MIN:
            put_level(generator, market, side, market["best"][side], np.int64(0))


@compiled
def change_touch(generator, market):
    """The best level of a side moves half-way to a new volume, or is canceled."""
    bits = draw(generator)
    side = bits >> 20 & 1
    index = market["best"][side]
    there = np.int64(market["grid"][index])
    lots = (there + draw_lots(generator, market, layout.TOUCH_VOLUMES)) // 2 + 1
    if bits & MASK < CANCEL_TOUCH and market["levels"][side] > layout.LEVELS_MIN:
        lots = np.int64(0)
    put_level(generator, market, side, index, lots)


@compiled
def change_behind(generator, market):
    """Levels behind the touch come, change or go: one in half the cases, at most eight."""
    more = draw(generator)
    for place in range(8):
        bits = draw(generator)
        side = bits >> 10 & 1
        sign = 1 - 2 * side
        distance = np.int64(generator["tables"][layout.DISTANCES, bits >> 20 & MASK])
        best = market["best"][side]
        while not 0 <= best - sign * distance < layout.TICKS_MAX:
            distance >>= 1
        if distance > 0:
            index, lots = best - sign * distance, np.int64(0)
            found = find_level(market, side, index, np.int64(SPACING))
            if found < 0 or bits >> 30 & MASK < CHANGE:
                lots = draw_lots(generator, market, layout.LEVEL_VOLUMES)
            if lots > 0 or market["levels"][side] > layout.LEVELS_MIN:
                put_level(generator, market, side, index if found < 0 else found, lots)
        if more >> place & 1:
            return


@compiled
def find_level(market, side, index, span):
    """The first cell with volume from `index` away from the touch, within `span` ticks; or -1."""
    cells = market["grid"]
    if side == enums.BID:
        for cell in range(index, max(index - span, -1), -1):
            if cells[cell] > 0:
                return cell
    else:
        for cell in range(index, min(index + span, layout.TICKS_MAX)):
            if cells[cell] > 0:
                return cell
    return np.int64(-1)


@compiled
def put_level(generator, market, side, index, lots):
    """A level has `lots` from here on, 0 being none: in the market, and said in the group."""
    cells, best = market["grid"], market["best"][side]
    if (lots > 0) != (cells[index] > 0):
        market["levels"][side] += 1 if lots > 0 else -1
    cells[index] = lots
    if lots == 0 and index == best:
        market["best"][side] = find_level(market, side, index, layout.TICKS_MAX)
    elif lots > 0 and (1 - 2 * side) * (index - best) > 0:
        market["best"][side] = index
    price = (market["first_tick"] + index) * market["tick_size"]
    at = generator["l2_count"]
    for earlier in range(at):  # A group names a price once.
        if generator["l2"][earlier]["price"] == price:
            at = np.int64(earlier)
    say_level(generator, market, side, index, at)


@compiled
def say_level(generator, market, side, index, at):
    """What a level is now, as record `at` of the group: a new one at its end, or in place."""
    level = generator["l2"][at]
    level["price"] = (market["first_tick"] + index) * market["tick_size"]
    level["volume"] = market["grid"][index] * market["lot_size"]
    level["side"] = side
    generator["l2_count"] = max(generator["l2_count"], at + 1)


@compiled
def snapshot(generator, market):
    """The whole book as a group."""
    for side in (enums.BID, enums.ASK):
        index = market["best"][side]
        while index >= 0:
            say_level(generator, market, side, index, generator["l2_count"])
            index = find_level(market, side, index - (1 - 2 * side), layout.TICKS_MAX)


@compiled
def finish_group(generator, market, flags):
    """Flags, number, instrument and time of all levels of the group."""
    market["sequence"] += 1
    group = generator["l2"][: generator["l2_count"]]
    for level in group:
        level["ts_exchange"], level["sequence"] = generator["ts_exchange"], market["sequence"]
        level["instrument"], level["flags"] = market["instrument"], flags
    group[0]["flags"] |= enums.FIRST
    group[len(group) - 1]["flags"] |= enums.LAST


@compiled
def draw_lots(generator, market, table):
    """A volume of a table, in the market's lots; beyond the table a power law."""
    bits = draw(generator)
    place = bits >> 10 & MASK
    lots = np.int64(generator["tables"][table, place])
    if place == MASK:
        lots = lots * generator["tables"][layout.TAIL, bits >> 20 & MASK] >> BITS
    return min(max(lots * market["volume_scale"] >> BITS, 1), LOTS_MAX)


@compiled
def fill_book(generator, market):
    """A book to begin with: SNAPSHOT_LEVELS a side, a level in twenty ticks."""
    for side in (enums.BID, enums.ASK):
        index = np.int64(layout.CENTER + side)
        market["best"][side] = index
        market["grid"][index] = draw_lots(generator, market, layout.TOUCH_VOLUMES)
        for _ in range(layout.SNAPSHOT_LEVELS - 1):
            index -= (1 - 2 * side) * (1 + (draw(generator) >> 10 & MASK) * GAP_MAX // UNIT)
            market["grid"][index] = draw_lots(generator, market, layout.LEVEL_VOLUMES)
        market["levels"][side] = layout.SNAPSHOT_LEVELS
