"""Trade models: market events in, ideal orders out.

In:        L2 updates, trades, own fills; a user's file with one function.
Out:       rows of ideal orders in the model's OrderCache.
Must not know: venues, requests, balances, other models. The Overseer sees to what is possible.

contract.py     what a model file holds, and how it becomes machine code
orders.py       what a model says: want, want_nothing
model_actor.py  the actor: books and positions up to date, the model called on each event
quoter.py       example: two bids and two asks, skewed by position
imbalance.py    example: crosses the spread when book and flow lean one way
"""
