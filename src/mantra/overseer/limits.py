"""Pre-trade limits: may the ideal order in hand be sent?

In:        the ideal order in the context, positions, prices, balances, the time.
Out:       REFUSED_*; for an order that may go, what it costs of which asset, and the rate taken.
Must not know: what else the row has in the market.

Cheap questions first, and the rate last: what is refused anyhow takes nothing from it.

What an order costs, in the asset it is paid with: a bid its notional and the taker's fee, in the
quote asset, rounded up; an ask its volume in the base asset. A market bid is priced at the last
trade plus a slack. A venue that takes the fee from what is received holds less: then an order that
needs the last cent is refused here. Never the other way round.
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.icc.memory import records_at
from mantra.messages.amounts import (
    AMOUNT_MAX,
    DOWN,
    PPM,
    UP,
    base_amount,
    fee_amount,
    mul_div,
    quote_amount,
)
from mantra.messages.enums import ASK, BID, GTC, LIMIT, MARKET, POST_ONLY
from mantra.messages.tables import INSTRUMENT
from mantra.overseer.orders import balance_of, model_at, position_of
from mantra.overseer.refusals import (
    REFUSED_BAD_IDEAL,
    REFUSED_BALANCE,
    REFUSED_BALANCE_UNKNOWN,
    REFUSED_COLLAR,
    REFUSED_MODEL_HALTED,
    REFUSED_NO_PRICE,
    REFUSED_NOT,
    REFUSED_NOTIONAL,
    REFUSED_OPEN_ORDERS,
    REFUSED_POSITION,
    REFUSED_RATE,
    REFUSED_STOPPED,
    REFUSED_VENUE_HALTED,
    REFUSED_VOLUME,
)
from mantra.overseer.state import (
    BUCKET,
    BUCKET_OF_MODEL_AT,
    BUCKET_OF_VENUE_AT,
    CONTEXT,
    LIMITS,
    MARKET_STATE,
    MODEL,
    OPEN_MAX,
    VENUE_STATE,
)

MODEL_BYTES = MODEL.itemsize
VENUE_BYTES = VENUE_STATE.itemsize
INSTRUMENT_BYTES = INSTRUMENT.itemsize


@inlined
def refusal(context_address, model, now):
    """Why the ideal order in hand may not be sent as a new one, or REFUSED_NOT.

    REFUSED_NOT: the context's `cost` and `cost_asset` are set, and the rate limits are charged.
    """
    reason = refusal_of_state(context_address, model)
    if reason == REFUSED_NOT:
        reason = refusal_of_size(context_address, model)
    if reason == REFUSED_NOT:
        reason = refusal_of_price(context_address, model)
    if reason == REFUSED_NOT:
        reason = refusal_of_balance(context_address)
    if reason == REFUSED_NOT:
        reason = refusal_of_rate(context_address, model, now)
    return reason


@inlined
def refusal_of_state(context_address, model):
    """Is there such an order at all, and is anybody halted?"""
    context = records_at(context_address, 1, CONTEXT)[0]
    ideal = context["ideal"]
    if context["mode"] != 0:
        return REFUSED_STOPPED
    owner = model_at(context_address, model)
    if owner["halted"]:
        return REFUSED_MODEL_HALTED
    if not 0 <= ideal["instrument"] < context["instrument_count"]:
        return REFUSED_BAD_IDEAL
    if not (BID <= ideal["side"] <= ASK and LIMIT <= ideal["type"] <= MARKET):
        return REFUSED_BAD_IDEAL
    if not GTC <= ideal["time_in_force"] <= POST_ONLY or ideal["volume"] <= 0:
        return REFUSED_BAD_IDEAL
    if ideal["type"] == LIMIT and ideal["price"] <= 0:
        return REFUSED_BAD_IDEAL
    if venue_of(context_address, venue_in_hand(context_address))["halted"]:
        return REFUSED_VENUE_HALTED
    if market_of(context_address, np.int64(ideal["instrument"]))["halted"]:
        return REFUSED_VENUE_HALTED
    if context["open"] >= OPEN_MAX or 0 < owner["open_max"] <= owner["open"]:
        return REFUSED_OPEN_ORDERS
    return REFUSED_NOT


@inlined
def refusal_of_size(context_address, model):
    """Volume, and the position if all live orders and this one were filled."""
    ideal = records_at(context_address, 1, CONTEXT)[0]["ideal"]
    limits = limits_of(context_address, model, np.int64(ideal["instrument"]))
    if 0 < limits["order_volume_max"] < ideal["volume"]:
        return REFUSED_VOLUME
    if limits["position_max"] > 0:
        held = position_of(context_address, model, np.int64(ideal["instrument"]))
        exposed = held["position"] + held["working_bid"]
        if ideal["side"] == ASK:
            exposed = held["working_ask"] - held["position"]
        if ideal["volume"] > limits["position_max"] - exposed:
            return REFUSED_POSITION
    return REFUSED_NOT


@inlined
def refusal_of_price(context_address, model):
    """The collar around the last price, and the notional."""
    context = records_at(context_address, 1, CONTEXT)[0]
    ideal = context["ideal"]
    limits = limits_of(context_address, model, np.int64(ideal["instrument"]))
    last = market_of(context_address, np.int64(ideal["instrument"]))["last_price"]
    if last == 0 and (ideal["type"] == MARKET or limits["collar_ppm"] > 0):
        return REFUSED_NO_PRICE
    if limits["collar_ppm"] > 0 and ideal["type"] == LIMIT:
        band = mul_div(last, limits["collar_ppm"], np.int64(PPM), np.int64(DOWN))
        if abs(ideal["price"] - last) > band:
            return REFUSED_COLLAR
    if limits["order_notional_max"] > 0:
        notional = notional_in_hand(context_address)
        if notional > limits["order_notional_max"]:
            return REFUSED_NOTIONAL
    return REFUSED_NOT


@inlined
def refusal_of_balance(context_address):
    """Is what the order costs there? Sets the context's `cost` and `cost_asset`."""
    context = records_at(context_address, 1, CONTEXT)[0]
    set_cost(context_address)
    balance = balance_of(context_address, venue_in_hand(context_address), context["cost_asset"])
    if balance["known"] == 0:
        return REFUSED_BALANCE_UNKNOWN
    # All three are sums of the venue's and our own amounts: the difference does not wrap.
    if context["cost"] > balance["total"] - balance["held"] - balance["reserved"]:
        return REFUSED_BALANCE
    return REFUSED_NOT


@inlined
def set_cost(context_address):
    """What the ideal order in hand costs: the context's `cost` of its `cost_asset`."""
    context = records_at(context_address, 1, CONTEXT)[0]
    ideal = context["ideal"]
    instrument = instrument_in_hand(context_address)
    if ideal["side"] == ASK:
        context["cost_asset"] = instrument["base"]
        context["cost"] = base_amount(address_in_hand(context_address), ideal["volume"])
        return
    notional = notional_in_hand(context_address)
    fee = np.int64(0)
    if instrument["taker_fee_ppm"] > 0:
        fee = fee_amount(notional, instrument["taker_fee_ppm"])
    context["cost_asset"] = instrument["quote"]
    context["cost"] = notional + min(fee, AMOUNT_MAX - notional)


@inlined
def refusal_of_rate(context_address, model, now):
    """Requests a second, of the model and of the venue; both are charged if both allow it."""
    if bucket_allows(model_bucket(context_address, model), now):
        venue = venue_in_hand(context_address)
        if bucket_allows(venue_bucket(context_address, venue), now):
            charge(context_address, model, venue, now)
            return REFUSED_NOT
    return REFUSED_RATE


@inlined
def charge(context_address, model, venue, now):
    """Take one request from both rates. Cancels are charged too, but never refused."""
    charge_bucket(model_bucket(context_address, model), now)
    charge_bucket(venue_bucket(context_address, venue), now)


@compiled
def bucket_allows(bucket_address, now):
    bucket = records_at(bucket_address, 1, BUCKET)[0]
    return bucket["interval"] == 0 or bucket["due"] - now <= bucket["slack"]


@compiled
def charge_bucket(bucket_address, now):
    bucket = records_at(bucket_address, 1, BUCKET)[0]
    if bucket["interval"] > 0:
        bucket["due"] = max(bucket["due"], now) + bucket["interval"]


# ---------------------------------------------------------------- where things are


@compiled
def model_bucket(context_address, model):
    models = records_at(context_address, 1, CONTEXT)[0]["models"]
    return models + model * MODEL_BYTES + BUCKET_OF_MODEL_AT


@compiled
def venue_bucket(context_address, venue):
    venues = records_at(context_address, 1, CONTEXT)[0]["venues"]
    return venues + venue * VENUE_BYTES + BUCKET_OF_VENUE_AT


@compiled
def venue_of(context_address, venue):
    """The VENUE_STATE of a venue."""
    context = records_at(context_address, 1, CONTEXT)[0]
    return records_at(context["venues"], context["venue_count"], VENUE_STATE)[venue]


@compiled
def market_of(context_address, instrument):
    """The MARKET_STATE of an instrument."""
    context = records_at(context_address, 1, CONTEXT)[0]
    return records_at(context["markets"], context["instrument_count"], MARKET_STATE)[instrument]


@compiled
def limits_of(context_address, model, instrument):
    """The LIMITS of a model on an instrument."""
    context = records_at(context_address, 1, CONTEXT)[0]
    count = context["instrument_count"]
    return records_at(context["limits"], context["model_count"] * count, LIMITS)[
        model * count + instrument
    ]


@compiled
def address_in_hand(context_address):
    """Address of the INSTRUMENT of the ideal order in hand."""
    context = records_at(context_address, 1, CONTEXT)[0]
    return context["instruments"] + context["ideal"]["instrument"] * INSTRUMENT_BYTES


@compiled
def instrument_in_hand(context_address):
    """The INSTRUMENT of the ideal order in hand."""
    return records_at(address_in_hand(context_address), 1, INSTRUMENT)[0]


@compiled
def venue_in_hand(context_address):
    """The venue of the ideal order in hand."""
    return np.int64(instrument_in_hand(context_address)["venue"])


@compiled
def notional_in_hand(context_address):
    """The most the ideal order in hand is worth, in its quote asset, fees apart."""
    context = records_at(context_address, 1, CONTEXT)[0]
    ideal = context["ideal"]
    price = ideal["price"]
    if ideal["type"] == MARKET:
        last = market_of(context_address, np.int64(ideal["instrument"]))["last_price"]
        price = last + mul_div(last, context["market_slack_ppm"], np.int64(PPM), np.int64(UP))
    return quote_amount(address_in_hand(context_address), price, ideal["volume"], np.int64(UP))
