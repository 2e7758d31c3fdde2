"""RFC 6455 read slowly: what a client must make of all the bytes a server sent, at once."""

from mantra.transport.frames import BREACH


def frame(kind: int, payload: bytes = b"", last: bool = True, wide: int = 0) -> bytes:
    """A server's frame; `wide` asks for 2 or 8 bytes of length where fewer would do."""
    first = bytes([last << 7 | kind])
    length = len(payload)
    if length < 126 and not wide:
        return first + bytes([length]) + payload
    if length < 65_536 and wide < 8:
        return first + b"\x7e" + length.to_bytes(2, "big") + payload
    return first + b"\x7f" + length.to_bytes(8, "big") + payload


def messages(data: bytes, capacity: int) -> list[tuple[int, bytes | int]]:
    """(kind, payload), a control frame as a whole; a breach, the last, with its close code."""
    found: list[tuple[int, bytes | int]] = []
    joining, joined, at = 0, b"", 0
    while len(data) - at >= 2:
        last, reserved, kind = data[at] >> 7, data[at] & 0x70, data[at] & 15
        length, header = data[at + 1], 2
        control = kind >= 8
        illegal = reserved or length > 127 or kind not in (0, 1, 2, 8, 9, 10)
        illegal = illegal or (control and (not last or length > 125))
        illegal = illegal or (not control and (kind == 0) != bool(joining))
        if illegal:
            return [*found, (BREACH, 1002)]
        if length > 125:
            header = 4 if length == 126 else 10
            if len(data) - at < header:
                break
            length = int.from_bytes(data[at + 2 : at + header], "big")
        if length >> 63:
            return [*found, (BREACH, 1002)]
        if header + length + len(joined) > capacity:
            return [*found, (BREACH, 1009)]
        if len(data) - at < header + length:
            break
        payload = data[at + header : at + header + length]
        if control:
            found.append((kind, data[at : at + header + length]))
        elif last and kind:
            found.append((kind, payload))
        else:
            joining, joined = joining or kind, joined + payload
            if last:
                found.append((joining, joined))
                joining, joined = 0, b""
        at += header + length
    return found
