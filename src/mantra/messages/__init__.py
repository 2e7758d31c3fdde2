"""What travels: the records, the tables they refer to, and the numbers in them.

In:        nothing.
Out:       dtypes, enumerations, decimal text <-> integer, the shared instrument tables.
Must not know: who sends or receives. No behaviour beyond conversion.

records.py      every record, its bytes drawn
enums.py        the small integers in them, with their names
decimals.py     decimal text <-> integer, exact or refused
amounts.py      price x volume, fees: integer arithmetic across exponents
tables.py       instruments, assets and venues, in shared memory
"""
