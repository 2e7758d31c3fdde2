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
from mantra.exchanges.simulated.distributions import BITS, QUANTILES, UNIT
from mantra.exchanges.simulated.layout import (
    CENTER,
    FREE,
    GENERATOR,
    GROUP_MAX,
    L2_AT,
    LEVEL_VOLUMES_AT,
    LEVELS_MIN,
    LOTS,
    MARKET,
    MARKET_BYTES,
    SNAPSHOT_LEVELS,
    TICKS_MAX,
    TOUCH_VOLUMES_AT,
    TRADE_VOLUMES_AT,
    TRADES_AT,
)
from mantra.icc.memory import records_at
from mantra.messages.enums import ASK, BID, FIRST, LAST, SNAPSHOT
from mantra.messages.records import L2_UPDATE, TRADE_UPDATE

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
def draw(generator_address):
    """64 random bits: Marsaglia's xorshift with shifts 13, 7, 17 (J. Stat. Softw. 8(14), 2003)."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    x = generator["random"]
    x ^= x << 13
    x ^= (x >> 7) & MASK_57
    x ^= x << 17
    generator["random"] = x
    return x


@compiled
def next_event(generator_address):
    """Make the next event: its trades and its group, ready to send. Returns how many messages."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    advance_clock(generator_address)
    generator["trades_count"] = 0
    generator["l2_count"] = 0
    if generator["snapshots"] < generator["markets_count"]:
        which = generator["snapshots"]
        market_address = generator["markets"] + which * MARKET_BYTES
        generator["snapshots"] += 1
        snapshot(generator_address, market_address)
        finish_group(generator_address, market_address, np.int64(SNAPSHOT))
    else:
        bits = draw(generator_address)
        which = (bits >> 20 & 0xFFFF) * generator["markets_count"] >> 16
        market_address = generator["markets"] + which * MARKET_BYTES
        happen(generator_address, market_address, bits)
        finish_group(generator_address, market_address, np.int64(0))
    messages = generator["trades_count"] + generator["l2_count"]
    generator["events"] += 1
    generator["messages"] += messages
    return messages


@compiled
def advance_clock(generator_address):
    """The time that the event made last took. Snapshots take a mean one."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    messages = generator["trades_count"] + generator["l2_count"]
    if messages < GROUP_MAX // 2:
        bits = draw(generator_address)
        leave = LEAVE_QUIET if generator["quiet"] else LEAVE_BUSY
        if bits >> 40 & 0xFFFFF < leave * messages:
            generator["quiet"] ^= 1
        scale = QUIET_PAUSE if generator["quiet"] else BUSY_PAUSE
        pause = (generator["pauses"][bits >> 10 & MASK] * np.int64(scale)) >> BITS
        generator["clock_ps"] += (messages * generator["period_ps"] * (UNIT + pause)) >> (BITS + 1)
    else:
        generator["clock_ps"] += messages * generator["period_ps"]
    generator["ts_exchange"] = generator["ts_start"] + generator["clock_ps"] // PS_PER_NS


@compiled
def happen(generator_address, market_address, bits):
    """Something happens in a market."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    market = records_at(market_address, 1, MARKET)[0]
    order = (ORDER_QUIET if generator["quiet"] else ORDER_BUSY) + (market["heat"] >> COOLING_BITS)
    withdraw = order + (WITHDRAW_QUIET if generator["quiet"] else WITHDRAW_BUSY)
    market["heat"] -= market["heat"] >> COOLING_BITS
    chance = bits & MASK
    if market["best"][ASK] - market["best"][BID] > 1 and bits >> 10 & MASK < CLOSE:
        close_spread(generator_address, market_address)
    elif chance < order:
        market["heat"] += HEAT << COOLING_BITS
        aggressive_order(generator_address, market_address)
    elif chance < withdraw:
        withdraw_best(generator_address, market_address)
    elif chance < withdraw + TOUCH:
        change_touch(generator_address, market_address)
    else:
        change_behind(generator_address, market_address)
    if generator["l2_count"] == 0:  # What was to happen would have left a side all but empty.
        side = bits >> 50 & 1
        index = market["best"][side]
        lots = draw_lots(generator_address, market_address, TOUCH_VOLUMES_AT)
        put_level(generator_address, market_address, side, index, lots)


@compiled
def close_spread(generator_address, market_address):
    """A limit order inside the spread, mostly next to the other side's best."""
    market = records_at(market_address, 1, MARKET)[0]
    bits = draw(generator_address)
    bid, ask = market["best"][BID], market["best"][ASK]
    away = (bid + ask) // 2 - CENTER
    pull = max(abs(away) - FREE, 0) * UNIT // FREE  # certain from 1.5 × FREE on
    if away > 0:
        pull = -pull
    side = np.int64(BID) if bits & MASK < UNIT // 2 + pull else np.int64(ASK)
    inside = ask - bid - 1
    offset = np.int64(0)
    if bits >> 10 & MASK >= CLOSE_WHOLLY:
        offset = (bits >> 20 & 0xFFFF) * inside >> 16
    index = ask - 1 - offset if side == BID else bid + 1 + offset
    lots = draw_lots(generator_address, market_address, TOUCH_VOLUMES_AT)
    put_level(generator_address, market_address, side, index, lots)


@compiled
def aggressive_order(generator_address, market_address):
    """An order that takes: some trades, each with one resting order at the best price then."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    market = records_at(market_address, 1, MARKET)[0]
    bits = draw(generator_address)
    if bits & MASK < TURN:
        market["aggressor"] ^= 1
    resting = market["aggressor"] ^ 1
    cells = records_at(market["grid"], TICKS_MAX, LOTS)
    for _ in range(generator["fills"][bits >> 10 & MASK]):
        index = market["best"][resting]
        there = np.int64(cells[index])
        lots = min(draw_lots(generator_address, market_address, TRADE_VOLUMES_AT), there)
        if lots == there and market["levels"][resting] <= LEVELS_MIN:
            return
        add_trade(generator_address, market_address, index, lots)
        put_level(generator_address, market_address, resting, index, there - lots)


@compiled
def withdraw_best(generator_address, market_address):
    """The best levels of a side are canceled at once."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    market = records_at(market_address, 1, MARKET)[0]
    bits = draw(generator_address)
    side = bits >> 20 & 1
    for _ in range(generator["withdrawn"][bits >> 10 & MASK]):
        if market["levels"][side] <= LEVELS_MIN:
            return
        put_level(generator_address, market_address, side, market["best"][side], np.int64(0))


@compiled
def change_touch(generator_address, market_address):
    """The best level of a side moves half-way to a new volume, or is canceled."""
    market = records_at(market_address, 1, MARKET)[0]
    bits = draw(generator_address)
    side = bits >> 20 & 1
    index = market["best"][side]
    there = np.int64(records_at(market["grid"], TICKS_MAX, LOTS)[index])
    lots = (there + draw_lots(generator_address, market_address, TOUCH_VOLUMES_AT)) // 2 + 1
    if bits & MASK < CANCEL_TOUCH and market["levels"][side] > LEVELS_MIN:
        lots = np.int64(0)
    put_level(generator_address, market_address, side, index, lots)


@compiled
def change_behind(generator_address, market_address):
    """Levels behind the touch come, change or go: one in half the cases, at most eight."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    market = records_at(market_address, 1, MARKET)[0]
    more = draw(generator_address)
    for place in range(8):
        bits = draw(generator_address)
        side = bits >> 10 & 1
        sign = 1 - 2 * side
        distance = np.int64(generator["distances"][bits >> 20 & MASK])
        best = market["best"][side]
        while not 0 <= best - sign * distance < TICKS_MAX:
            distance >>= 1
        if distance > 0:
            index = best - sign * distance
            found = find_level(market_address, side, index, np.int64(SPACING))
            if found < 0:
                lots = draw_lots(generator_address, market_address, LEVEL_VOLUMES_AT)
                put_level(generator_address, market_address, side, index, lots)
            elif bits >> 30 & MASK < CHANGE:
                lots = draw_lots(generator_address, market_address, LEVEL_VOLUMES_AT)
                put_level(generator_address, market_address, side, found, lots)
            elif market["levels"][side] > LEVELS_MIN:
                put_level(generator_address, market_address, side, found, np.int64(0))
        if more >> place & 1:
            return


@compiled
def find_level(market_address, side, index, span):
    """The first cell with volume from `index` away from the touch, within `span` ticks; or -1."""
    cells = records_at(records_at(market_address, 1, MARKET)[0]["grid"], TICKS_MAX, LOTS)
    if side == BID:
        for cell in range(index, max(index - span, -1), -1):
            if cells[cell] > 0:
                return cell
    else:
        for cell in range(index, min(index + span, TICKS_MAX)):
            if cells[cell] > 0:
                return cell
    return np.int64(-1)


@compiled
def put_level(generator_address, market_address, side, index, lots):
    """A level has `lots` from here on, 0 being none: in the market, and said in the group."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    market = records_at(market_address, 1, MARKET)[0]
    cells = records_at(market["grid"], TICKS_MAX, LOTS)
    if (lots > 0) != (cells[index] > 0):
        market["levels"][side] += 1 if lots > 0 else -1
    cells[index] = lots
    best = market["best"][side]
    if lots == 0 and index == best:
        behind = find_level(market_address, side, index, np.int64(TICKS_MAX))
        market["best"][side] = behind
    elif lots > 0 and (1 - 2 * side) * (index - best) > 0:
        market["best"][side] = index

    price = (market["first_tick"] + index) * market["tick_size"]
    count = generator["l2_count"]
    group = records_at(generator_address + L2_AT, GROUP_MAX, L2_UPDATE)
    at = count
    for earlier in range(count):  # A group names a price once.
        if group[earlier]["price"] == price:
            at = earlier
    level = group[at]
    level["price"] = price
    level["volume"] = lots * market["lot_size"]
    level["side"] = side
    if at == count:
        generator["l2_count"] = count + 1


@compiled
def add_trade(generator_address, market_address, index, lots):
    generator = records_at(generator_address, 1, GENERATOR)[0]
    market = records_at(market_address, 1, MARKET)[0]
    count = generator["trades_count"]
    trade = records_at(generator_address + TRADES_AT, count + 1, TRADE_UPDATE)[count]
    market["trade_id"] += 1
    trade["ts_exchange"] = generator["ts_exchange"]
    trade["price"] = (market["first_tick"] + index) * market["tick_size"]
    trade["volume"] = lots * market["lot_size"]
    trade["trade_id"] = market["trade_id"]
    trade["instrument"] = market["instrument"]
    trade["side"] = market["aggressor"]
    generator["trades_count"] = count + 1


@compiled
def snapshot(generator_address, market_address):
    """The whole book as a group."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    market = records_at(market_address, 1, MARKET)[0]
    cells = records_at(market["grid"], TICKS_MAX, LOTS)
    group = records_at(generator_address + L2_AT, GROUP_MAX, L2_UPDATE)
    count = np.int64(0)
    for side in (BID, ASK):
        index = market["best"][side]
        while index >= 0:
            level = group[count]
            level["price"] = (market["first_tick"] + index) * market["tick_size"]
            level["volume"] = cells[index] * market["lot_size"]
            level["side"] = side
            count += 1
            behind = index - (1 - 2 * side)
            index = find_level(market_address, np.int64(side), behind, np.int64(TICKS_MAX))
    generator["l2_count"] = count


@compiled
def finish_group(generator_address, market_address, flags):
    """Flags, number, instrument and time of all levels of the group."""
    generator = records_at(generator_address, 1, GENERATOR)[0]
    market = records_at(market_address, 1, MARKET)[0]
    market["sequence"] += 1
    generator["instrument"] = market["instrument"]
    count = generator["l2_count"]
    group = records_at(generator_address + L2_AT, GROUP_MAX, L2_UPDATE)
    for i in range(count):
        level = group[i]
        level["ts_exchange"] = generator["ts_exchange"]
        level["sequence"] = market["sequence"]
        level["instrument"] = market["instrument"]
        level["flags"] = flags
    group[0]["flags"] |= FIRST
    group[count - 1]["flags"] |= LAST


@compiled
def draw_lots(generator_address, market_address, table_at):
    """A volume of the table at this offset, in the market's lots; beyond the table a power law."""
    bits = draw(generator_address)
    place = bits >> 10 & MASK
    lots = np.int64(records_at(generator_address + table_at, QUANTILES, LOTS)[place])
    if place == MASK:
        tail = records_at(generator_address, 1, GENERATOR)[0]["tail"]
        lots = lots * np.int64(tail[bits >> 20 & MASK]) >> BITS
    scale = records_at(market_address, 1, MARKET)[0]["volume_scale"]
    return min(max(lots * scale >> BITS, 1), LOTS_MAX)


@compiled
def fill_book(generator_address, market_address):
    """A book to begin with: SNAPSHOT_LEVELS a side, a level in twenty ticks."""
    market = records_at(market_address, 1, MARKET)[0]
    cells = records_at(market["grid"], TICKS_MAX, LOTS)
    for side in (BID, ASK):
        index = np.int64(CENTER + side)
        market["best"][side] = index
        cells[index] = draw_lots(generator_address, market_address, TOUCH_VOLUMES_AT)
        for _ in range(SNAPSHOT_LEVELS - 1):
            index -= (1 - 2 * side) * (1 + (draw(generator_address) >> 10 & MASK) * GAP_MAX // UNIT)
            cells[index] = draw_lots(generator_address, market_address, LEVEL_VOLUMES_AT)
        market["levels"][side] = SNAPSHOT_LEVELS
