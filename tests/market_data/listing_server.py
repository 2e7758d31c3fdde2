"""A venue's REST side over TLS, in a process of its own: answers are files, asked for by path.

    python tests/market_data/listing_server.py FOLDER CERTIFICATE

Serves on 127.0.0.1 and prints the port; ends with its standard input. GET /a/b is answered with the
file a_b of FOLDER, and with 404 when there is none.
"""

import http.server
import json
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import trustme

PAIRS = ("BTC/USD", "ETH/USD", "ETH/BTC")
FILTERS = [
    {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00010000", "stepSize": "0.00010000"},
    {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
]


def _binance(base: str, quote: str) -> dict:
    facts = {"baseAsset": base, "quoteAsset": quote, "filters": [dict(one) for one in FILTERS]}
    return {"symbol": base + quote, "status": "TRADING", **facts}


def _bitstamp(base: str, quote: str) -> dict:
    facts = {"base_decimals": 8, "counter_decimals": 2, "trading": "Enabled"}
    facts |= {"market_type": "SPOT", "minimum_order_value": "10.0"}
    return {"name": f"{base}/{quote}", "market_symbol": (base + quote).lower(), **facts}


def _coinbase(base: str, quote: str) -> dict:
    facts = {"base_currency_id": base, "quote_currency_id": quote, "product_type": "SPOT"}
    facts |= {"price_increment": "0.01", "base_increment": "0.00000001", "alias": ""}
    facts |= {"base_min_size": "0.00000001", "quote_min_size": "1", "status": "online"}
    return {"product_id": f"{base}-{quote}", **facts}


def _kraken(base: str, quote: str) -> dict:
    facts = {"pair_decimals": 2, "lot_decimals": 8, "tick_size": "0.01", "ordermin": "0.0001"}
    names = [{"BTC": "XBT"}.get(name, name) for name in (base, quote)]
    return {"wsname": "/".join(names), **facts, "costmin": "0.5", "status": "online"}


def listings() -> dict[str, tuple[str, object]]:
    """By venue: (path, answer for PAIRS in the form it has today); made anew each time."""
    pairs = [pair.split("/") for pair in PAIRS]
    names = [base + quote for base, quote in pairs]
    facts = [[name, [None, None, None, "0.00006", "2000.0"]] for name in names]
    configs = "pub:list:pair:exchange,pub:info:pair,pub:map:currency:sym"
    return {
        "binance": ("/api/v3/exchangeInfo", {"symbols": [_binance(*pair) for pair in pairs]}),
        "bitfinex": (f"/v2/conf/{configs}", [names, facts, [["UST", "USDt"]]]),
        "bitstamp": ("/api/v2/markets/", [_bitstamp(*pair) for pair in pairs]),
        "coinbase": (
            "/api/v3/brokerage/market/products",
            {"products": [_coinbase(*pair) for pair in pairs]},
        ),
        "kraken": (
            "/0/public/AssetPairs",
            {"error": [], "result": {"".join(pair): _kraken(*pair) for pair in pairs}},
        ),
    }


class ListingServer:
    """Starts the process; a context manager. `rest` is where it is, `ca_file` what to trust."""

    def __init__(self, folder: Path):
        self.folder = folder
        authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        certificate = folder / "server.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
        self.process = subprocess.Popen(
            [sys.executable, __file__, folder, certificate],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.rest = f"https://localhost:{int(self.process.stdout.readline())}"
        for venue in listings():
            self.answer(venue)

    def __enter__(self) -> "ListingServer":
        return self

    def __exit__(self, *exception) -> None:
        self.process.stdin.close()
        self.process.wait(5)
        self.process.stdout.close()

    @property
    def places(self) -> dict[str, tuple[str, str]]:
        return dict.fromkeys(listings(), (self.rest, self.ca_file))

    def answer(self, venue: str, body: bytes | None = None) -> None:
        """From now on the venue's listing is this; None: the one above."""
        path, usual = listings()[venue]
        (self.folder / file_name(path)).write_bytes(body or json.dumps(usual).encode())

    def forget(self, venue: str) -> None:
        """From now on there is no such path."""
        (self.folder / file_name(listings()[venue][0])).unlink()


def file_name(path: str) -> str:
    return path.partition("?")[0].strip("/").replace("/", "_")


def main(folder: Path, certificate: str) -> None:
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = folder / file_name(self.path)
            body = path.read_bytes() if path.is_file() else b"no such thing"
            self.send_response(200 if path.is_file() else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
