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

from mantra.actors import actor, stepper
from mantra.actors.spine import Spine
from mantra.compiled import call_step, compiled, duty_cycle
from mantra.icc import atomics, seqlock_vector
from mantra.icc.memory import CACHE_LINE, address_of, aligned_zeros, record_type, records_at
from mantra.icc.queue import DATA, PRODUCER, publish, try_consume
from mantra.messages import enums, records
from mantra.messages.tables import Tables
from mantra.overseer.orders import model_at, order_at
from mantra.overseer.state import BUCKET, CAPACITY, CONTEXT, MODEL, NOWHERE, ORDER, ROW, SLOT_MASK

EVERY = 64  # idle steps: some 6 µs
AHEAD = 4  # orders: slots of the table and of the queue that are asked for

UNDERSTUDY = "understudy"
CAPACITIES = dict.fromkeys((*records.QUEUE_RECORDS, f"timings-{UNDERSTUDY}"), 64)
PRICE, VOLUME, PLENTY = 1000, 10, 10**15
BASE, QUOTE = 0, 1  # assets of `one_market`

#   step, context      of the understudy
#   cache              VECTOR of its ideal order
#   requests           CONSUMER
#   orders, balances   OUTLETs
#   count              rehearsals so far
REHEARSAL = record_type(
    "i8 step context cache requests orders balances count",
    ("ideal", records.IDEAL_ORDER),
    ("request", records.ORDER_REQUEST),
    ("update", records.ORDER_UPDATE),
    ("balance", records.BALANCE_UPDATE),
)
CONTEXT_BYTES, BUCKET_BYTES, ROW_BYTES = CONTEXT.itemsize, BUCKET.itemsize, ROW.itemsize
ORDER_BYTES, MODEL_BYTES = ORDER.itemsize, MODEL.itemsize
WORD = np.dtype("i8")


@duty_cycle
def rehearse(address):
    """Want an order or, the next time, none; let the understudy send, and answer it."""
    rehearsal = records_at(address, 1, REHEARSAL)[0]
    rehearsal["ideal"]["volume"] = VOLUME * (1 - rehearsal["count"] % 2)
    rehearsal["count"] += 1
    seqlock_vector.write_row(rehearsal["cache"], np.int64(0), address_of(rehearsal["ideal"]))
    call_step(rehearsal["step"], rehearsal["context"])
    while try_consume(rehearsal["requests"], address_of(rehearsal["request"])) == DATA:
        request, update = rehearsal["request"], rehearsal["update"]
        update["order_id"] = rehearsal["balance"]["order_id"] = request["order_id"]
        update["event"] = enums.ACCEPTED if request["kind"] == enums.NEW else enums.CANCELED
        publish(rehearsal["orders"], address_of(rehearsal["update"]))
        publish(rehearsal["balances"], address_of(rehearsal["balance"]))
    return call_step(rehearsal["step"], rehearsal["context"])


@compiled
def keep_warm(context):
    """An idle step of the Overseer: after EVERY of them, ask for its memory, and rehearse."""
    context["idle"] += 1
    if context["rehearsal"] == 0 or context["idle"] < EVERY:
        return
    context["idle"] = 0
    ask_for_memory(context)
    call_step(context["rehearse"], context["rehearsal"])


@compiled
def ask_for_memory(context):
    """Prefetch what the next requests read and write: models, rows, orders, slots of the queue."""
    ask_for(address_of(context), CONTEXT_BYTES)
    ask_for(context["buckets"], context["model_count"] * BUCKET_BYTES)
    for model in range(context["model_count"]):
        owner = model_at(context, model)
        ask_for(context["models"] + model * MODEL_BYTES, MODEL_BYTES)
        rows = records_at(owner["first_row"], owner["rows"], ROW)
        for row in range(min(owner["rows"], AHEAD)):
            ask_for(owner["first_row"] + row * ROW_BYTES, ROW_BYTES)
            if rows[row]["slot"] != NOWHERE:
                ask_for(address_of(order_at(context, rows[row]["slot"])), ORDER_BYTES)
    free = records_at(context["free_slots"], CAPACITY, WORD)
    requests = records_at(context["requests"], 1, PRODUCER)[0]
    for number in range(AHEAD):
        slot = free[context["slots_taken"] + number & SLOT_MASK]
        ask_for(address_of(order_at(context, slot)), ORDER_BYTES)
        slot = requests["next"] + number & requests["mask"]
        ask_for(requests["slots"] + slot * requests["slot_bytes"], requests["slot_bytes"])


@compiled
def ask_for(address, size):
    for line in range(address, address + size, CACHE_LINE):
        atomics.prefetch(line)


class Script(actor.Actor):
    """The understudy's model and venue; `rehearse` speaks for both."""

    reads: ClassVar = ("requests",)
    writes: ClassVar = ("orders", "fills", "balances", "trades")

    def vectors(self) -> dict[str, tuple[np.dtype, int]]:
        return {f"cache-{UNDERSTUDY}": (records.IDEAL_ORDER, 1)}

    def on_start(self, spine: Spine) -> None:
        self.context = aligned_zeros(1, REHEARSAL)
        rehearsal = self.context[0]
        rehearsal["cache"] = address_of(spine.vector(f"cache-{UNDERSTUDY}", records.IDEAL_ORDER))
        rehearsal["requests"] = address_of(spine.inlet("requests"))
        for queue in ("orders", "balances"):
            rehearsal[queue] = address_of(spine.outlet(queue))
        rehearsal["ideal"]["price"], rehearsal["ideal"]["type"] = PRICE, enums.LIMIT
        rehearsal["update"]["leaves"] = VOLUME
        rehearsal["balance"]["total"], rehearsal["balance"]["asset"] = PLENTY, QUOTE
        trade = aligned_zeros(1, records.TRADE_UPDATE)
        trade["price"] = PRICE
        publish(address_of(spine.outlet("trades")), address_of(trade))
        publish(int(rehearsal["balances"]), address_of(rehearsal["balance"]))


def one_market() -> Tables:
    """Tables of one instrument, of the assets BASE and QUOTE."""
    tables = Tables()
    for name in ("BASE", "QUOTE"):
        tables.add_asset(name)
    facts: dict = {"price_exponent": 2, "volume_exponent": 5, "taker_fee_ppm": 100}
    tables.add_instrument(tables.add_venue("nowhere"), "BASE-QUOTE", BASE, QUOTE, **facts)
    return tables


class Rehearsal:
    """An understudy and its script. Keep it alive while `address` is in use."""

    def __init__(self, understudy: actor.Actor):
        """`understudy`: an Overseer of one model, UNDERSTUDY, with one row, on `one_market()`."""
        self.script = Script(UNDERSTUDY + "-script")
        self._stepper = stepper.Stepper([self.script, understudy], CAPACITIES)
        with self._stepper:  # Its segments go at once; what is mapped stays.
            rehearsal = self.script.context[0]  # type: ignore[index]
            rehearsal["step"] = understudy.step.address
            rehearsal["context"] = understudy.context_address
        self.address = self.script.context_address
