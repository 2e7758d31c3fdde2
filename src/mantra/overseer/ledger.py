"""Positions, profit and loss by model, and the loss limits.

In:        fills, last prices, exchange time.
Out:       POSITION, LEDGER; a model halted when it lost more than it may.
Must not know: orders.

Profit and loss of a model in a quote asset = cash of its fills, fees included, + what its positions
are worth at the last traded price. A day begins at 00:00 UTC of exchange time; the loss that counts
is that since the day began. A halt is for the rest of the run. A fee in the base asset is valued
at the fill's price; one in a third asset is not counted.
"""

import numpy as np

from mantra.compiled import compiled
from mantra.icc.memory import address_of, records_at
from mantra.messages import amounts, enums, records
from mantra.overseer import limits, orders, state

DAY_NS = 86_400_000_000_000


@compiled
def book_fill(context, model):
    """Enter the fill in hand into its model's position and cash, and look at the loss."""
    fill = records_at(address_of(context["message"]), 1, records.FILL)[0]
    instrument = np.int64(fill["instrument"])
    facts = limits.instrument_at(context, instrument)
    begin_day(context, fill["ts_exchange"])
    held = orders.position_of(context, model, instrument)
    market = limits.market_of(context, instrument)
    if market["last_price"] == 0:
        market["last_price"] = fill["price"]
    sign, rounding = np.int64(-1), np.int64(amounts.DOWN)
    if fill["side"] == enums.BID:
        sign, rounding = np.int64(1), np.int64(amounts.UP)
    notional = amounts.quote_amount(address_of(facts), fill["price"], fill["volume"], rounding)
    held["position"] += sign * fill["volume"]
    gained = -sign * notional
    if fill["fee_asset"] == facts["quote"]:
        gained -= fill["fee"]
    elif fill["fee_asset"] == facts["base"]:
        traded = max(amounts.base_amount(address_of(facts), fill["volume"]), np.int64(1))
        gained -= amounts.mul_div(fill["fee"], notional, traded, np.int64(amounts.UP))
    held["cash"] += gained
    gain(context, model, np.int64(facts["quote"]), gained)
    mark(context, model, instrument)


@compiled
def mark(context, model, instrument):
    """Value a model's position at the last price, and look at the loss."""
    facts = limits.instrument_at(context, instrument)
    held = orders.position_of(context, model, instrument)
    last = limits.market_of(context, instrument)["last_price"]
    value = amounts.quote_amount(address_of(facts), last, held["position"], np.int64(amounts.DOWN))
    change = value - held["value"]
    held["value"] = value
    asset = np.int64(facts["quote"])
    gain(context, model, asset, change)
    check_loss(context, model, asset)


@compiled
def mark_all(context, instrument):
    """An instrument has a new last price: value the positions in it."""
    for model in range(context["model_count"]):
        held = orders.position_of(context, model, instrument)
        if held["position"] != 0 or held["value"] != 0:
            mark(context, model, instrument)


@compiled
def ledger_of(context, model, asset):
    """The LEDGER of a model in an asset; of all together for an index beyond the last."""
    number = model * context["asset_count"] + asset
    return records_at(context["ledgers"], number + 1, state.LEDGER)[number]


@compiled
def gain(context, model, asset, amount):
    everyone = context["model_count"]
    ledger_of(context, model, asset)["pnl"] += amount
    ledger_of(context, everyone, asset)["pnl"] += amount


@compiled
def check_loss(context, model, asset):
    """Halt a model that lost too much today, and all models when all together did."""
    everyone = context["model_count"]
    for owner, first, end in ((model, model, model + 1), (everyone, np.int64(0), everyone)):
        ledger = ledger_of(context, owner, asset)
        loss = ledger["day_start"] - ledger["pnl"]
        if 0 < ledger["loss_max"] < loss:
            for each in range(first, end):
                halt_model(context, each, loss)


@compiled
def halt_model(context, model, loss):
    """Cancel all of a model's orders and send none, for the rest of the run; told once."""
    owner = orders.model_at(context, model)
    if owner["halted"]:
        return
    owner["halted"] = 1
    orders.counters_of(context, model)["halted"] = 1
    orders.touch_model(context, model)
    orders.tell(context, np.int64(enums.EVENT_HALT), np.int64(-1), loss, model)


@compiled
def begin_day(context, ts_exchange):
    """The first message of a new day, UTC: losses are counted from here."""
    if ts_exchange < context["day_end"]:
        return
    context["day_end"] = ts_exchange - ts_exchange % DAY_NS + DAY_NS
    count = (context["model_count"] + 1) * context["asset_count"]
    ledgers = records_at(context["ledgers"], count, state.LEDGER)
    for index in range(count):
        ledgers[index]["day_start"] = ledgers[index]["pnl"]
