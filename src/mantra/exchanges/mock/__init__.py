"""The MockExchange: a venue like any other, whose market is data and whose orders are ours.

In:        L2Update and TradeUpdate (the market without us), OrderRequest.
Out:       OrderUpdate, Fill, BalanceUpdate; SystemEvent when it lost market data.
Must not know: where the market comes from (archive, generator, live), who sends orders and why,
           wall clocks: its time is that of the last market event.

exchange.py  the actor: queues in, queues out, what was lost
state.py     the memory of one exchange, made from the tables and the balances
market.py    market data in: the book kept, matching triggered
requests.py  new, amend, cancel: validation, every refusal with its reason
matching.py  taking liquidity, filling what rests: the rules and the market events that trigger them
accounts.py  balances and holds, to the last unit
orders.py    the table of open orders: by id, and by price and time
reports.py   what the exchange has to say, collected for the actor to send
layout.py    the bytes of all that

All but exchange.py are functions on flat records: no queues, no stamps. The rules are argued in
docs/decisions/006-mock-exchange-matching.md.
"""
