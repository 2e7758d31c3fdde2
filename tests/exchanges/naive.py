"""What the venues' naive decoders share: JSON that keeps the texts of numbers, and double keys."""

import json
import re
from typing import Any

from mantra.messages.decimals import OK
from tests.messages import naive as numbers


class RefusedError(Exception):
    """The message is not one."""


class Bare(str):
    """The text of a JSON number that is no integer."""

    __slots__ = ()


class Members(dict):
    """An object's members; `twice`: the keys it says more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]):
        super().__init__(pairs)
        keys = [key for key, _ in pairs]
        self.twice = {key for key in keys if keys.count(key) > 1}


def load(raw: bytes, parse_int: type = int) -> Any:
    """The value that `raw` says. Raises RefusedError."""
    text = raw.decode("latin-1")
    try:
        return json.loads(text, object_pairs_hook=Members, parse_float=Bare, parse_int=parse_int)
    except (ValueError, RecursionError) as error:
        raise RefusedError(str(error)) from None


def units(text: Any, exponent: int) -> int:
    """Raises TypeError for what is no number, ValueError for one that is not exact or negative."""
    if type(text) not in (str, int, Bare):
        raise TypeError("not a number")
    value, status = numbers.parse_decimal(str(text), exponent)
    if status != OK or value < 0:
        raise ValueError(text)
    return value


def integer(value: Any) -> int:
    """Bare or in a string: digits alone. Raises TypeError."""
    if type(value) is str and re.fullmatch(r"-?(0|[1-9][0-9]*)", value, re.ASCII):
        value = int(value)
    if type(value) is not int or abs(value) >= 1 << 63:
        raise TypeError("not an integer")
    return value


def items(value: Any) -> list:
    """Raises TypeError for what is no list."""
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value
