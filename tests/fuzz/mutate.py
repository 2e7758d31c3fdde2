"""Texts like the one given, broken: edits of JSON's tokens, members and items, and of bytes.

In:        a text, a seeded `random.Random`, other texts to take pieces from.
Out:       another text.
Must not know: who reads it.

Bytes changed blindly are refused at the first of them. What stays sound on the outside gets
further: so numbers become other numbers, members are doubled, moved and brought in from other
texts, characters of strings become escapes, values are nested, texts end early.
"""

import re
from random import Random

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"?|-?[0-9][-+.0-9eE]*|[{}\[\],:]|[A-Za-z]+|\s+|.', re.DOTALL)
NUMBER = re.compile(rb"[-+]?[0-9][-+.0-9eE]*")
NUMBERS = (
    b"0 -0 1 -1 -7 00 01 -01 1. .5 +1 1.0 1.00000000 0.00000001 1.000000001 -0.5 1e3 1E+2 1e-8 1E-9"
    b" 0e0 0e-99 1e400 1e-400 1e+ 1e 1.e1 9223372036854775807 9223372036854775808"
    b" -9223372036854775808 18446744073709551616 92233720368.54775807 92233720368.54775808"
    b" 922337203685477580.7 99999999999999999999999999999999999999999 1000000000000000000"
    b" 0.0000000000000000000000000001 1747143592992 9223372036854 9223372036855"
    b" 1723161255208123 1700000000000000000 - 0x1 1_0 NaN"
).split()
TIMES = (
    b'"2023-10-06T17:35:55Z" "2023-10-06T17:35:60.1234567899Z" "2262-01-01T00:00:00Z"'
    b' "1969-12-31T23:59:59Z" "2023-02-31T17:35:55.Z" "2023-10-06T17:35:55" "2023-13-06T17:35:55Z"'
).split()
VALUES = (
    *(b"null", b"true", b"false", b"{}", b"[]", b'""', b"[[]]", b'[["1","1"]]', b'{"":1}', b"nul"),
    *(b'"\\u0062"', b'"\\"', b'"\\uZZZZ"', b'"\x00"', b'"\xff"', b'"a', b'"12345678"', b'"x' * 9),
)
ESCAPES = (b"\\\\", b'\\"', b"\\/", b"\\n", b"\\u0041", b"\\uD800", b"\\u00", b"\\x", b"\x1f")
SPACES = (b" ", b"\n", b"\t\r ", b" " * 9, b"\x0b", b"\xa0")
OPENING, CLOSING = (b"{", b"["), (b"}", b"]")


def spans(tokens: list[bytes]) -> list[tuple[int, int]]:
    """(first token, token after) of each member and item of all objects and arrays."""
    found: list[tuple[int, int]] = []
    begins: list[int] = []
    for place, token in enumerate(tokens):
        if token in OPENING:
            begins.append(place + 1)
        elif begins and (token == b"," or token in CLOSING):
            begin = begins.pop()
            if begin < place:
                found.append((begin, place))
            if token == b",":
                begins.append(place + 1)
    return found


def mutate(raw: bytes, random: Random, others: list[bytes]) -> bytes:
    """One to four edits."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        edit = random.choice(BYTE_EDITS if random.random() < 0.15 else TOKEN_EDITS)
        if edit in BYTE_EDITS:
            raw = edit(bytearray(raw), random)
        elif tokens := TOKEN.findall(raw):
            edit(tokens, random, others)
            raw = b"".join(tokens)
    return raw


def _value(random: Random) -> bytes:
    return random.choice(random.choice((NUMBERS, VALUES, TIMES)))


def change_number(tokens: list[bytes], random: Random, others: list[bytes]) -> None:
    places = [place for place, token in enumerate(tokens) if NUMBER.search(token)]
    if not places:
        return
    place, number = random.choice(places), random.choice(NUMBERS)
    found = list(NUMBER.finditer(tokens[place]))
    begin, end = random.choice(found).span()
    if random.random() < 0.2:  # only a digit more or less
        number = tokens[place][begin : end - 1] + random.choice((b"", b"0", b"5", b"9", b".", b"e"))
    tokens[place] = tokens[place][:begin] + number + tokens[place][end:]


def change_value(tokens: list[bytes], random: Random, others: list[bytes]) -> None:
    place = random.randrange(len(tokens))
    tokens[place] = random.choice((_value(random), random.choice(tokens), b'"%s"' % tokens[place]))


def escape(tokens: list[bytes], random: Random, others: list[bytes]) -> None:
    places = [place for place, token in enumerate(tokens) if token[:1] == b'"' and len(token) > 2]
    if not places:
        return
    place = random.choice(places)
    text = tokens[place]
    at = random.randrange(1, len(text) - 1)
    same = b"\\u%04x" % text[at]
    tokens[place] = text[:at] + random.choice((same, same, *ESCAPES)) + text[at + 1 :]


def change_members(tokens: list[bytes], random: Random, others: list[bytes]) -> None:
    """Double, delete or move one, put a value in another's place, or bring in a foreign one."""
    found = spans(tokens)
    if not found:
        return
    begin, end = random.choice(found)
    other = random.choice(found)
    piece, way = tokens[slice(*other)], random.randrange(6)
    if way == 0:
        tokens[end:end] = [b",", *tokens[begin:end]]
    elif way == 1:
        del tokens[begin : min(end + (tokens[end : end + 1] == [b","]), len(tokens))]
    elif way == 2:
        tokens[begin:end] = piece
    elif way == 3:
        tokens[begin:begin] = [*piece, b","]
    elif others:
        foreign = TOKEN.findall(random.choice(others))
        piece = foreign[slice(*random.choice(spans(foreign) or [(0, len(foreign))]))]
        tokens[begin : end if way == 4 else begin] = [*piece, *([b","] if way == 5 else [])]


def nest(tokens: list[bytes], random: Random, others: list[bytes]) -> None:
    begin, end = random.choice(spans(tokens) or [(0, len(tokens))])
    colon = [i for i in range(begin, end) if tokens[i] == b":"][:1]
    begin = colon[0] + 1 if colon else begin
    depth, braces = random.choice((1, 2, 31, 40)), random.random() < 0.5
    tokens[end:end] = [b"}" if braces else b"]"] * depth
    tokens[begin:begin] = [b'{"a":' if braces else b"["] * depth


def add_space(tokens: list[bytes], random: Random, others: list[bytes]) -> None:
    tokens.insert(random.randrange(len(tokens) + 1), random.choice(SPACES))


def delete_token(tokens: list[bytes], random: Random, others: list[bytes]) -> None:
    del tokens[random.randrange(len(tokens))]


def change_byte(raw: bytearray, random: Random) -> bytes:
    if raw:
        raw[random.randrange(len(raw))] = random.choice((random.randrange(256), *b'"\\'))
    return bytes(raw)


def insert_bytes(raw: bytearray, random: Random) -> bytes:
    at = random.randrange(len(raw) + 1)
    raw[at:at] = random.choice((random.randbytes(random.randrange(1, 9)), raw[at : at + 20]))
    return bytes(raw)


def truncate(raw: bytearray, random: Random) -> bytes:
    return bytes(raw[: random.randrange(len(raw) + 1)])


TOKEN_EDITS = (
    *(change_number, change_number, change_value, change_members, change_members, change_members),
    *(escape, nest, add_space, delete_token),
)
BYTE_EDITS = (change_byte, insert_bytes, truncate)
