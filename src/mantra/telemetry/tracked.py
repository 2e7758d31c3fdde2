"""Receive and send: every message stamped by the producer itself, every message with its origin.

An actor has one TRACK. Receiving a message copies its origin stamp into the track; sending writes
the track's origin into the message, with the ticks since and the publisher's id. So whatever an
actor sends while it handles a message inherits that message's origin, and no actor can forget.
A source (a socket read, a replay, a generator) begins a new origin with `originate`.

    ts_origin   ticks when it all began: the trace id of everything it causes
    published   (ticks from there to now) << 16 | publisher id

An OUTLET is a producer handle and the histogram of its latencies (origin -> published).
"""

import numpy as np

from mantra.compiled import compiled, inlined
from mantra.icc import atomics, queue, seqlock_vector
from mantra.icc.memory import record_type, records_at
from mantra.messages.records import PUBLISHER_BITS, TIMING
from mantra.telemetry import histogram, tsc

STAMPED = 8  # messages of a group: a look at the clock each would be a third of their cost
HELD_MAX = 8  # the queues an actor reads in one step, and some; more are told at once

# origin      ticks; of the message in hand
# publisher   this actor's id
# clock       address of a simulated clock's ticks; 0: the real counter
# enabled     0: no timings are taken; stamps always are
# timings     address of the OUTLET of this actor's timing queue
# histograms  address of the business histogram of timer 0
# detail      what the next timing tells beside times: whatever the actor defines
# held        timings that are to be told
TRACK = record_type(
    "i8 origin publisher clock enabled timings histograms detail held",
    ("timing", TIMING, (HELD_MAX,)),
)

OUTLET = record_type(("producer", queue.PRODUCER), "i8 latencies")

TIMING_AT = TRACK.fields["timing"][1]  # type: ignore[index]
HISTOGRAM_BYTES = histogram.HISTOGRAM.itemsize
TIMING_BYTES = TIMING.itemsize
WORD = np.dtype("i8")


@compiled
def ticks_now(track_address):
    """Ticks now, of the actor's clock: real, or handed in by a simulation."""
    clock = records_at(track_address, 1, TRACK)[0]["clock"]
    return tsc.read_tsc() if clock == 0 else atomics.load_relaxed(clock)


@compiled
def originate(track_address):
    """Begin a new origin: what is sent from here on descends from this moment. Returns it."""
    now = ticks_now(track_address)
    records_at(track_address, 1, TRACK)[0]["origin"] = now
    return now


@compiled
def receive(track_address, consumer_address, target_address):
    """`try_consume`, and what is sent next inherits the message's origin."""
    status = queue.try_consume(consumer_address, target_address)
    if status == queue.DATA:
        records_at(track_address, 1, TRACK)[0]["origin"] = records_at(target_address, 1, WORD)[0]
    return status


@inlined
def stamp(track_address, message_address, now):
    """Write origin and publication into a message; returns ticks from origin to now."""
    track = records_at(track_address, 1, TRACK)[0]
    head = records_at(message_address, 2, WORD)
    latency = now - track["origin"]
    head[0] = track["origin"]
    head[1] = latency << PUBLISHER_BITS | track["publisher"]
    return latency


@compiled
def send(track_address, outlet_address, message_address):
    """Stamp and publish; returns the message's number in its queue."""
    latency = stamp(track_address, message_address, ticks_now(track_address))
    number = queue.publish(outlet_address, message_address)
    if records_at(track_address, 1, TRACK)[0]["enabled"]:
        histogram.record_value(records_at(outlet_address, 1, OUTLET)[0]["latencies"], latency)
    return number


@compiled
def send_many(track_address, outlet_address, first_address, count, stride):
    """`send` for `count` messages that lie `stride` bytes apart, STAMPED of them with one stamp."""
    track = records_at(track_address, 1, TRACK)[0]
    latencies, now = records_at(outlet_address, 1, OUTLET)[0]["latencies"], np.int64(0)
    for number in range(count):
        if number % STAMPED == 0:
            now = ticks_now(track_address)
        message = first_address + number * stride
        latency = stamp(track_address, message, now)
        queue.publish(outlet_address, message)
        if track["enabled"]:
            histogram.record_value(latencies, latency)


@compiled
def send_row(track_address, vector_address, row, source_address, now):
    """Stamp a row with `now` and write it into a SeqlockVector.

    Rows that are written together have one stamp: a clock read each would be half their cost.
    """
    stamp(track_address, source_address, now)
    seqlock_vector.write_row(vector_address, row, source_address)


@compiled
def ticks_early(track_address):
    """Ticks now or a little before: for the beginning of a step, at half the cost."""
    clock = records_at(track_address, 1, TRACK)[0]["clock"]
    return tsc.read_tsc_early() if clock == 0 else atomics.load_relaxed(clock)


@compiled
def start_timer(track_address):
    """Ticks at the beginning of a step, or at the end of a held one; 0 when timings are off."""
    if records_at(track_address, 1, TRACK)[0]["enabled"]:
        return ticks_early(track_address)
    return np.int64(0)


@compiled
def note_detail(track_address, detail):
    """What timings tell beside times from here on: whatever the actor defines."""
    records_at(track_address, 1, TRACK)[0]["detail"] = detail


@compiled
def stop_timer(track_address, timer, start, work):
    """End a step begun at `start`: counted, and told on the timing queue.

    Called after the step has sent what it has to send: telemetry is not on the critical path.
    """
    if records_at(track_address, 1, TRACK)[0]["enabled"]:
        hold_timer(track_address, timer, start, ticks_now(track_address), work)
        tell_held(track_address)


@compiled
def hold_timer(track_address, timer, start, stop, work):
    """End a step at `stop`, to be told by `tell_held`: after what is urgent, of whichever actor."""
    track = records_at(track_address, 1, TRACK)[0]
    if track["enabled"] == 0:
        return
    if track["held"] == HELD_MAX:
        tell_held(track_address)
    timing = track["timing"][track["held"]]
    stamp(track_address, track_address + TIMING_AT + track["held"] * TIMING_BYTES, stop)
    track["held"] += 1
    timing["ts_start"], timing["ts_stop"] = start, stop
    timing["timer"], timing["work"] = timer, work
    timing["detail"] = track["detail"]


@compiled
def tell_held(track_address):
    """Count and tell the steps that `hold_timer` ended."""
    track = records_at(track_address, 1, TRACK)[0]
    for number in range(track["held"]):
        timing = track["timing"][number]
        business = timing["ts_stop"] - timing["ts_start"]
        histogram.record_value(track["histograms"] + timing["timer"] * HISTOGRAM_BYTES, business)
        if track["timings"] != 0:
            queue.publish(track["timings"], track_address + TIMING_AT + number * TIMING_BYTES)
    track["held"] = 0
