"""overseer: desired against live against balance -> OrderRequest.

In:        each model's ideal orders (its OrderCache), and what the venues answer.
Out:       OrderRequests, the only ones there are; SystemEvents; counters by model.
Must not know: books, what a model thinks, how a venue is reached.

    overseer.py   the actor: settings, memory, its step
    sweep.py      desired against live: what is sent for each row
    limits.py     pre-trade limits and what an order costs
    answers.py    what venues say; reservations end here
    orders.py     the table of orders; what an end means for a row
    ledger.py     positions, profit and loss, loss limits
    watch.py      kill switch, time-outs, counters shown
    rehearsal.py  an idle desk goes through the way of an order, to keep it warm
    lifecycle.py  the states of an order, as one table
    refusals.py   why an ideal order is not sent
    state.py      the records all of this lives in
"""
