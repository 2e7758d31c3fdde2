"""The other side, in a process of its own: the `websockets` library's server, told what to do.

    python tests/transport/server.py CERT…

Serves on 127.0.0.1: plain, then once with each certificate (a PEM file of key and chain), then HTTP
requests; prints the ports, as JSON, in that order. A client sends commands as JSON texts:

    {"do": "echo", "text": T}                       T comes back
    {"do": "sizes", "sizes": […]}                   `message(i, size)` for each size; every third in
                                                    fragments, a ping behind some of them
    {"do": "raw", "hex": H, "chunk": n, "pause": s} these bytes, n at a time
    {"do": "ping"}                                  a ping; then whether its pong came
    {"do": "close", "code": c, "reason": r}         a closing handshake
    {"do": "drop"}                                  the socket, closed without a word
"""

import http.server
import json
import ssl
import sys
import threading
import time

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response
from websockets.sync.server import serve


def message(index: int, size: int) -> bytes:
    """A payload that says what it is: number and size, then a pattern of both."""
    head = f"{index}:{size}:".encode()
    pattern = bytes(97 + (index + i) % 26 for i in range(26))
    return (head + pattern * (size // 26 + 1))[: max(size, len(head))]


def is_binary(index: int) -> bool:
    return index % 2 == 1


def fragments(payload: bytes, binary: bool):
    """Pieces of growing size, from 0 bytes on."""
    at, length = 0, 0
    while at < len(payload):
        piece = payload[at : at + length]
        yield piece if binary else piece.decode()
        at, length = at + length, length * 3 + 1
    yield b"" if binary else ""


def obey(ws, command: dict) -> None:
    match command["do"]:
        case "echo":
            ws.send(command["text"])
        case "sizes":
            for index, size in enumerate(command["sizes"]):
                payload, binary = message(index, size), is_binary(index)
                if index % 3 == 0:
                    ws.send(fragments(payload, binary))
                else:
                    ws.send(payload if binary else payload.decode())
                if index % 50 == 0:
                    ws.ping()
        case "raw":
            data, chunk = bytes.fromhex(command["hex"]), command.get("chunk") or 1 << 20
            for at in range(0, len(data), chunk):
                ws.socket.sendall(data[at : at + chunk])
                time.sleep(command.get("pause", 0))
        case "ping":
            ws.send(f"pong {ws.ping(b'are you there').wait(5)}")
        case "close":
            ws.close(command["code"], command["reason"])
        case "drop":
            ws.socket.close()


def handle(ws) -> None:
    try:
        for text in ws:
            obey(ws, json.loads(text))
    except (ConnectionClosed, OSError):
        pass


def turn_away(ws, request):
    """/busy is refused."""
    if request.path == "/busy":
        answer = ws.respond(429, "later")
        answer.headers["Retry-After"] = "7"
        return answer
    if request.path == "/header":
        return Response(200, request.headers.get("X-Key", "none"), ws.respond(200, "").headers)
    return None


class Http(http.server.BaseHTTPRequestHandler):
    """/STATUS/n answers with that status n times per name (the rest of the path), then with 200."""

    protocol_version = "HTTP/1.1"
    asked: dict[str, int] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, status, times, *_ = self.path.split("/")
        asked = self.asked[self.path] = self.asked.get(self.path, 0) + 1
        if status == "drop" and asked <= int(times):
            self.close_connection = True
            return
        refused = asked <= int(times)
        answer = f"{self.command} {asked} ".encode() + body
        self.send_response(int(status) if refused else 200)
        self.send_header("Content-Length", str(len(answer)))
        if refused:
            self.send_header("Retry-After", "3")
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_) -> None:
        pass


def main() -> None:
    contexts: list[ssl.SSLContext | None] = [None]
    for certificate in sys.argv[1:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        contexts.append(context)
    ports = []
    for context in contexts:
        server = serve(
            handle,
            "127.0.0.1",
            0,
            ssl=context,
            compression=None,
            ping_interval=None,
            max_size=None,
            process_request=turn_away,
        )
        ports.append(server.socket.getsockname()[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
    for context in contexts[:2]:
        http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Http)
        if context:
            http_server.socket = context.wrap_socket(http_server.socket, server_side=True)
        ports.append(http_server.server_address[1])
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
    print(json.dumps(ports), flush=True)
    sys.stdin.read()  # until the tests end


if __name__ == "__main__":
    main()
