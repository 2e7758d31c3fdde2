"""Pre-trade limits: may the ideal order in hand be sent?

In:        the ideal order in the context, positions, prices, balances, the time.
Out:       a reason of refusals.py; for an order that may go, its cost and asset, the rate taken.
Must not know: what else the row has in the market.

Cheap questions first, and the rate last: what is refused anyhow takes nothing from it.

What an order costs, in the asset it is paid with: a bid its notional and the taker's fee, in the
quote asset, rounded up; an ask its volume in the base asset. A market bid is priced at the last
trade plus a slack. A venue that takes the fee from what is received holds less: then an order that
needs the last cent is refused here. Never the other way round.
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.icc.memory import address_of, records_at
from mantra.messages import amounts
from mantra.messages.amounts import DOWN, PPM, UP, base_amount, mul_div, quote_amount
from mantra.messages.enums import ASK, BID, GTC, LIMIT, MARKET, POST_ONLY
from mantra.messages.tables import INSTRUMENT
from mantra.overseer import orders, refusals
from mantra.overseer.state import BUCKET, MARKET_STATE, OPEN_MAX, VENUE_STATE

INSTRUMENT_BYTES = INSTRUMENT.itemsize


@inlined
def refusal(context, model, now):
    """Why the ideal order in hand may not be sent as a new one, or NONE.

    NONE (0): the context's `cost` and `cost_asset` are set, and the rate limits are charged.
    """
    return (
        refusal_of_state(context, model)
        or refusal_of_size(context, model)
        or refusal_of_price(context, model)
        or refusal_of_balance(context)
        or refusal_of_rate(context, model, now)
    )


@inlined
def refusal_of_state(context, model):
    """Is there such an order at all, and is anybody halted?"""
    ideal = context["ideal"]
    if context["mode"] != 0:
        return refusals.STOPPED
    owner = orders.model_at(context, model)
    if owner["halted"]:
        return refusals.MODEL_HALTED
    if not 0 <= ideal["instrument"] < context["instrument_count"]:
        return refusals.BAD_IDEAL
    if not (BID <= ideal["side"] <= ASK and LIMIT <= ideal["type"] <= MARKET):
        return refusals.BAD_IDEAL
    if not GTC <= ideal["time_in_force"] <= POST_ONLY or ideal["volume"] <= 0:
        return refusals.BAD_IDEAL
    if ideal["type"] == LIMIT and ideal["price"] <= 0:
        return refusals.BAD_IDEAL
    if venue_of(context, venue_in_hand(context))["halted"]:
        return refusals.VENUE_HALTED
    if market_of(context, np.int64(ideal["instrument"]))["halted"]:
        return refusals.VENUE_HALTED
    if context["open"] >= OPEN_MAX or 0 < owner["open_max"] <= owner["open"]:
        return refusals.OPEN_ORDERS
    return refusals.NONE


@inlined
def refusal_of_size(context, model):
    """Volume, and the position if all live orders and this one were filled."""
    ideal = context["ideal"]
    held = orders.position_of(context, model, np.int64(ideal["instrument"]))
    if 0 < held["order_volume_max"] < ideal["volume"]:
        return refusals.VOLUME
    if held["position_max"] > 0:
        exposed = held["position"] + held["working_bid"]
        if ideal["side"] == ASK:
            exposed = held["working_ask"] - held["position"]
        if ideal["volume"] > held["position_max"] - exposed:
            return refusals.POSITION
    return refusals.NONE


@inlined
def refusal_of_price(context, model):
    """The collar around the last price, and the notional."""
    ideal = context["ideal"]
    limits = orders.position_of(context, model, np.int64(ideal["instrument"]))
    last = market_of(context, np.int64(ideal["instrument"]))["last_price"]
    if last == 0 and (ideal["type"] == MARKET or limits["collar_ppm"] > 0):
        return refusals.NO_PRICE
    if limits["collar_ppm"] > 0 and ideal["type"] == LIMIT:
        band = mul_div(last, limits["collar_ppm"], np.int64(PPM), np.int64(DOWN))
        if abs(ideal["price"] - last) > band:
            return refusals.COLLAR
    if limits["order_notional_max"] > 0:
        notional = notional_in_hand(context)
        if notional > limits["order_notional_max"]:
            return refusals.NOTIONAL
    return refusals.NONE


@inlined
def refusal_of_balance(context):
    """Is what the order costs there? Sets the context's `cost` and `cost_asset`."""
    set_cost(context)
    balance = orders.balance_of(context, venue_in_hand(context), context["cost_asset"])
    if balance["known"] == 0:
        return refusals.BALANCE_UNKNOWN
    # All three are sums of the venue's and our own amounts: the difference does not wrap.
    if context["cost"] > balance["total"] - balance["held"] - balance["reserved"]:
        return refusals.BALANCE
    return refusals.NONE


@inlined
def set_cost(context):
    """What the ideal order in hand costs: the context's `cost` of its `cost_asset`."""
    ideal = context["ideal"]
    instrument = instrument_in_hand(context)
    if ideal["side"] == ASK:
        context["cost_asset"] = instrument["base"]
        context["cost"] = base_amount(address_of(instrument), ideal["volume"])
        return
    notional = notional_in_hand(context)
    fee = np.int64(0)
    if instrument["taker_fee_ppm"] > 0:
        fee = amounts.fee_amount(notional, instrument["taker_fee_ppm"])
    context["cost_asset"] = instrument["quote"]
    context["cost"] = notional + min(fee, amounts.AMOUNT_MAX - notional)


@inlined
def refusal_of_rate(context, model, now):
    """Requests a second, of the model and of the venue; both are charged if both allow it."""
    venue = venue_in_hand(context)
    if allows(bucket_of(context, model), now):
        if allows(bucket_of(context, context["model_count"] + venue), now):
            charge(context, model, venue, now)
            return refusals.NONE
    return refusals.RATE


@inlined
def charge(context, model, venue, now):
    """Take one request from both rates. Cancels are charged too, but never refused."""
    take_one(bucket_of(context, model), now)
    take_one(bucket_of(context, context["model_count"] + venue), now)


@compiled
def allows(bucket, now):
    return bucket["interval"] == 0 or bucket["due"] - now <= bucket["slack"]


@compiled
def take_one(bucket, now):
    if bucket["interval"] > 0:
        bucket["due"] = max(bucket["due"], now) + bucket["interval"]


# ---------------------------------------------------------------- where things are


@compiled
def bucket_of(context, number):
    """The BUCKET of a model; those of the venues are numbered on behind the last model's."""
    return records_at(context["buckets"], number + 1, BUCKET)[number]


@compiled
def venue_of(context, venue):
    """The VENUE_STATE of a venue."""
    return records_at(context["venues"], context["venue_count"], VENUE_STATE)[venue]


@compiled
def market_of(context, instrument):
    """The MARKET_STATE of an instrument."""
    return records_at(context["markets"], context["instrument_count"], MARKET_STATE)[instrument]


@compiled
def instrument_at(context, instrument):
    """The INSTRUMENT of an id."""
    return records_at(context["instruments"] + instrument * INSTRUMENT_BYTES, 1, INSTRUMENT)[0]


@compiled
def instrument_in_hand(context):
    """The INSTRUMENT of the ideal order in hand."""
    return instrument_at(context, np.int64(context["ideal"]["instrument"]))


@compiled
def venue_in_hand(context):
    """The venue of the ideal order in hand."""
    return np.int64(instrument_in_hand(context)["venue"])


@compiled
def notional_in_hand(context):
    """The most the ideal order in hand is worth, in its quote asset, fees apart."""
    ideal = context["ideal"]
    price = ideal["price"]
    if ideal["type"] == MARKET:
        last = market_of(context, np.int64(ideal["instrument"]))["last_price"]
        price = last + mul_div(last, context["market_slack_ppm"], np.int64(PPM), np.int64(UP))
    instrument = instrument_in_hand(context)
    return quote_amount(address_of(instrument), price, ideal["volume"], np.int64(UP))
