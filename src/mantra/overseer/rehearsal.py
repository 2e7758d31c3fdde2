"""The rehearsal: an idle Overseer sends orders that nobody sees, so that the way of one is warm.

In:        nothing of the run.
Out:       nothing: private memory, and a core's caches.
Must not know: what is really wanted, live, or limited.

Requests come in bursts, a thousand idle steps apart; by then a neighbour on the same processor has
the caches, and an order takes twice its time. So an understudy, a second Overseer on queues of its
own, goes through the same machine code every EVERY idle steps: a new order, its answer, a cancel.
Before that, the memory that the next real requests need is asked for (`prefetch`: nothing waits).

A tick that comes in meanwhile waits, at most for one rehearsal. On a core that gives way when idle
there is none: its time belongs to others.
"""

from typing import ClassVar

import numpy as np

from mantra.actors.actor import Actor
from mantra.actors.spine import Spine
from mantra.actors.stepper import Stepper
from mantra.compiled import call_step, compiled, duty_cycle
from mantra.icc.atomics import prefetch
from mantra.icc.memory import CACHE_LINE, address_of, aligned_zeros, records_at
from mantra.icc.queue import DATA, PRODUCER, publish, try_consume
from mantra.icc.seqlock_vector import write_row
from mantra.messages.enums import ACCEPTED, CANCELED, LIMIT, NEW
from mantra.messages.records import (
    BALANCE_UPDATE,
    IDEAL_ORDER,
    ORDER_REQUEST,
    ORDER_UPDATE,
    QUEUE_RECORDS,
    TRADE_UPDATE,
)
from mantra.messages.tables import Tables
from mantra.overseer.orders import model_at, order_at
from mantra.overseer.state import CAPACITY, CONTEXT, MODEL, NOWHERE, ORDER, ROW, SLOT_MASK

EVERY = 64  # idle steps: some 6 µs
AHEAD = 4  # orders: slots of the table and of the queue that are asked for

UNDERSTUDY = "understudy"
CAPACITIES = dict.fromkeys((*QUEUE_RECORDS, f"timings-{UNDERSTUDY}"), 64)
PRICE = 1000
VOLUME = 10
PLENTY = 10**15

REHEARSAL = np.dtype(
    [
        ("step", "i8"),  # of the understudy …
        ("context", "i8"),  # … and its context
        ("cache", "i8"),  # VECTOR of its ideal order
        ("requests", "i8"),  # CONSUMER
        ("orders", "i8"),  # OUTLETs
        ("balances", "i8"),
        ("count", "i8"),  # rehearsals so far
        ("ideal", IDEAL_ORDER),
        ("request", ORDER_REQUEST),
        ("update", ORDER_UPDATE),
        ("balance", BALANCE_UPDATE),
    ],
    align=True,
)
IDEAL_AT = REHEARSAL.fields["ideal"][1]  # type: ignore[index]
REQUEST_AT = REHEARSAL.fields["request"][1]  # type: ignore[index]
UPDATE_AT = REHEARSAL.fields["update"][1]  # type: ignore[index]
BALANCE_AT = REHEARSAL.fields["balance"][1]  # type: ignore[index]
CONTEXT_BYTES = CONTEXT.itemsize
ROW_BYTES = ROW.itemsize
ORDER_BYTES = ORDER.itemsize
MODEL_BYTES = MODEL.itemsize
WORD = np.dtype("i8")


@duty_cycle
def rehearse(address):
    """Want an order or, the next time, none; let the understudy send, and answer it."""
    rehearsal = records_at(address, 1, REHEARSAL)[0]
    rehearsal["ideal"]["volume"] = VOLUME * (1 - rehearsal["count"] % 2)
    rehearsal["count"] += 1
    write_row(rehearsal["cache"], np.int64(0), address + IDEAL_AT)
    call_step(rehearsal["step"], rehearsal["context"])
    while try_consume(rehearsal["requests"], address + REQUEST_AT) == DATA:
        request, update = rehearsal["request"], rehearsal["update"]
        update["order_id"] = rehearsal["balance"]["order_id"] = request["order_id"]
        update["event"] = ACCEPTED if request["kind"] == NEW else CANCELED
        publish(rehearsal["orders"], address + UPDATE_AT)
        publish(rehearsal["balances"], address + BALANCE_AT)
    return call_step(rehearsal["step"], rehearsal["context"])


@compiled
def keep_warm(context_address):
    """An idle step of the Overseer: after EVERY of them, ask for its memory, and rehearse."""
    context = records_at(context_address, 1, CONTEXT)[0]
    context["idle"] += 1
    if context["rehearsal"] == 0 or context["idle"] < EVERY:
        return
    context["idle"] = 0
    ask_for_memory(context_address)
    call_step(context["rehearse"], context["rehearsal"])


@compiled
def ask_for_memory(context_address):
    """Prefetch what the next requests read and write: models, rows, orders, slots of the queue."""
    context = records_at(context_address, 1, CONTEXT)[0]
    ask_for(context_address, CONTEXT_BYTES)
    for model in range(context["model_count"]):
        owner = model_at(context_address, model)
        ask_for(context["models"] + model * MODEL_BYTES, MODEL_BYTES)
        rows = records_at(owner["first_row"], owner["rows"], ROW)
        for row in range(min(owner["rows"], AHEAD)):
            ask_for(owner["first_row"] + row * ROW_BYTES, ROW_BYTES)
            if rows[row]["slot"] != NOWHERE:
                ask_for(order_at(context_address, rows[row]["slot"]), ORDER_BYTES)
    free = records_at(context["free_slots"], CAPACITY, WORD)
    requests = records_at(context["requests"], 1, PRODUCER)[0]
    for number in range(AHEAD):
        slot = free[context["slots_taken"] + number & SLOT_MASK]
        ask_for(order_at(context_address, slot), ORDER_BYTES)
        slot = requests["next"] + number & requests["mask"]
        ask_for(requests["slots"] + slot * requests["slot_bytes"], requests["slot_bytes"])


@compiled
def ask_for(address, size):
    for line in range(address, address + size, CACHE_LINE):
        prefetch(line)


class Script(Actor):
    """The understudy's model and venue; `rehearse` speaks for both."""

    reads: ClassVar = ("requests",)
    writes: ClassVar = ("orders", "fills", "balances", "trades")

    def vectors(self) -> dict[str, tuple[np.dtype, int]]:
        return {f"cache-{UNDERSTUDY}": (IDEAL_ORDER, 1)}

    def on_start(self, spine: Spine) -> None:
        self.context = aligned_zeros(1, REHEARSAL)
        rehearsal = self.context[0]
        rehearsal["cache"] = address_of(spine.vector(f"cache-{UNDERSTUDY}", IDEAL_ORDER))
        rehearsal["requests"] = address_of(spine.inlet("requests"))
        for queue in ("orders", "balances"):
            rehearsal[queue] = address_of(spine.outlet(queue))
        self.trades = spine.outlet("trades")

    def begin(self, understudy: Actor, quote: int) -> None:
        """Tell the first balance and price."""
        assert self.context is not None
        rehearsal = self.context[0]
        rehearsal["step"] = understudy.step.address
        rehearsal["context"] = understudy.context_address
        rehearsal["ideal"]["price"], rehearsal["ideal"]["type"] = PRICE, LIMIT
        rehearsal["update"]["leaves"] = VOLUME
        rehearsal["balance"]["total"], rehearsal["balance"]["asset"] = PLENTY, quote
        trade = aligned_zeros(1, TRADE_UPDATE)
        trade["price"] = PRICE
        publish(address_of(self.trades), address_of(trade))
        publish(int(rehearsal["balances"]), self.context_address + BALANCE_AT)


def one_market() -> tuple[Tables, int]:
    """Tables of one instrument, and the id of its quote asset."""
    tables = Tables()
    base, quote = tables.add_asset("BASE"), tables.add_asset("QUOTE")
    venue = tables.add_venue("nowhere")
    tables.add_instrument(
        venue, "BASE-QUOTE", base, quote, price_exponent=2, volume_exponent=5, taker_fee_ppm=100
    )
    return tables, quote


class Rehearsal:
    """An understudy and its script. Keep it alive while `address` is in use."""

    def __init__(self, understudy: Actor, quote: int):
        """`understudy`: an Overseer of one model, UNDERSTUDY, with one row, on `one_market()`."""
        script = Script(UNDERSTUDY + "-script")
        self.script = script
        self._stepper = Stepper([script, understudy], CAPACITIES)
        with self._stepper:  # Its segments go at once; what is mapped stays.
            script.begin(understudy, quote)
        self.address = script.context_address
