"""What a venue's public REST answers: its listing, and a whole book; how it writes symbols.

In:        the path of a GET, the market.
Out:       the body; None: there is no such thing.
Must not know: sockets, what was subscribed.

Forms are those of the venues' documents: Binance exchangeInfo and depth, Bitfinex conf and book,
Bitstamp markets and order_book, Coinbase Advanced products and product_book, Kraken AssetPairs and
Depth. All symbols have the same tick and lot: one unit of their last decimal.
"""

import json
from collections.abc import Callable, Iterator
from itertools import chain, islice, product
from string import ascii_uppercase
from urllib.parse import parse_qsl, urlsplit

from mantra.simulators.market import (
    ASK,
    PRICE_EXPONENT,
    SIDES,
    VOLUME_EXPONENT,
    Market,
    Symbol,
    decimal,
)

TICK, LOT = decimal(1, PRICE_EXPONENT), decimal(1, VOLUME_EXPONENT)
KRAKEN_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
BASES = "BTC ETH XRP SOL LTC ADA DOT UNI BCH DOGE LINK AVAX DUSK".split()  # noqa: SIM905


def symbols(venue: str, count: int) -> list[str]:
    """The first so many names, as the venue's market data writes them."""
    made = ("".join(letters) for letters in product(ascii_uppercase, repeat=3))
    bases = islice(chain(BASES, (one for one in made if one not in BASES)), count)
    return [symbol(venue, base) for base in bases]


def symbol(venue: str, base: str) -> str:
    """A base asset against the venue's dollar."""
    colon = ":" if len(base) > 3 else ""
    return {
        "binance": f"{base}USDT",
        "bitfinex": f"t{base}{colon}USD",
        "bitstamp": f"{base}USD".lower(),
        "coinbase": f"{base}-USD",
        "kraken": f"{base}/USD",
    }[venue]


def split(name: str) -> tuple[str, str]:
    """(base, quote) of a symbol of any venue."""
    name = name.removeprefix("t").upper()
    for separator in "/-:":
        if separator in name:
            base, _, quote = name.partition(separator)
            return base, quote
    length = 4 if name.endswith(("USDT", "USDC")) else 3
    return name[:-length], name[-length:]


def answer(venue: str, market: Market, path: str) -> bytes | None:
    """The body of the answer to a GET."""
    url = urlsplit(path)
    asked = dict(parse_qsl(url.query))
    for start, make in PATHS[venue].items():
        if url.path.startswith(start):
            try:
                body = make(market, url.path.removeprefix(start), asked)
            except (LookupError, ValueError):
                return None
            return (body if isinstance(body, str) else json.dumps(body)).encode()
    return None


def javascript(text: str) -> str:
    """A number as JavaScript prints it: these are never so small as to need an exponent."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def bitfinex_level(symbol: Symbol, row: tuple[int, int, int]) -> str:
    side, price, volume = row
    p, q = symbol.texts((price, volume))
    sign = "-" if side == ASK else ""
    return f"[{javascript(p)},{int(volume > 0)},{sign}{javascript(q) if volume else 1}]"


# ---------------------------------------------------------------- listings


def _listed(market: Market) -> Iterator[tuple[Symbol, str, str]]:
    for one in market.symbols.values():
        yield one, *split(one.name)


def _binance_listing(market: Market, tail: str, asked: dict) -> object:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": TICK, "maxPrice": "1000000", "tickSize": TICK},
        {"filterType": "LOT_SIZE", "minQty": LOT, "maxQty": "9000", "stepSize": LOT},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ]
    rows = [
        {"symbol": one.name, "status": "TRADING" if one.listed else "BREAK", "baseAsset": base}
        | {"quoteAsset": quote, "isSpotTradingAllowed": True, "filters": filters}
        for one, base, quote in _listed(market)
    ]
    return {"timezone": "UTC", "rateLimits": [], "exchangeFilters": [], "symbols": rows}


def _bitfinex_listing(market: Market, tail: str, asked: dict) -> object:
    pairs = [one.name[1:] for one in market.symbols.values() if one.listed]
    facts = [None, None, None, "0.00006", "2000.0", None, None, None, None, None, None, None]
    return [pairs, [[pair, facts] for pair in pairs], [["UST", "USDt"]]]


def _bitstamp_listing(market: Market, tail: str, asked: dict) -> object:
    return [
        {"name": f"{base}/{quote}", "market_symbol": one.name, "base_currency": base}
        | {"base_decimals": VOLUME_EXPONENT, "counter_currency": quote, "market_type": "SPOT"}
        | {"counter_decimals": PRICE_EXPONENT, "minimum_order_value": "10"}
        | {"trading": "Enabled" if one.listed else "Disabled"}
        for one, base, quote in _listed(market)
    ]


def _coinbase_listing(market: Market, tail: str, asked: dict) -> object:
    rows = [
        {"product_id": one.name, "base_currency_id": base, "quote_currency_id": quote}
        | {"price_increment": TICK, "quote_increment": TICK, "base_increment": LOT}
        | {"base_min_size": LOT, "quote_min_size": "1", "product_type": "SPOT", "alias": ""}
        | {"status": "online" if one.listed else "delisted"}
        for one, base, quote in _listed(market)
    ]
    return {"products": rows, "num_products": len(rows)}


def _kraken_listing(market: Market, tail: str, asked: dict) -> object:
    result = {}
    for one, base, quote in _listed(market):
        if one.listed:
            coin = KRAKEN_NAMES.get(base, base)
            result[f"X{coin}Z{quote}"] = {
                "altname": coin + quote,
                "wsname": f"{coin}/{quote}",
                "base": f"X{coin}",
                "quote": f"Z{quote}",
                "pair_decimals": PRICE_EXPONENT,
                "lot_decimals": VOLUME_EXPONENT,
                "tick_size": TICK,
                "ordermin": "0.0001",
                "costmin": "0.5",
                "status": "online",
            }
    return {"error": [], "result": result}


# ---------------------------------------------------------------- whole books


def _sides(symbol: Symbol, depth: int) -> list[list]:
    """[bids, asks] as [price, volume] texts, best first."""
    return [[[*symbol.texts(level)] for level in symbol.levels(side, depth)] for side in SIDES]


def _binance_depth(market: Market, tail: str, asked: dict) -> object:
    one = market.symbols[asked["symbol"]]
    bids, asks = _sides(one, int(asked.get("limit", 100)))
    return {"lastUpdateId": one.changes, "bids": bids, "asks": asks}


def _bitfinex_depth(market: Market, tail: str, asked: dict) -> object:
    one, depth = market.symbols[tail.split("/", maxsplit=1)[0]], int(asked.get("len", 25))
    rows = [
        bitfinex_level(one, (side, *level)) for side in SIDES for level in one.levels(side, depth)
    ]
    return f"[{','.join(rows)}]"


def _bitstamp_depth(market: Market, tail: str, asked: dict) -> object:
    one = market.symbols[tail.strip("/")]
    bids, asks = _sides(one, 0)
    micros = str(one.ts_ns // 1_000)
    return {"timestamp": micros[:-6], "microtimestamp": micros, "bids": bids, "asks": asks}


def _coinbase_depth(market: Market, tail: str, asked: dict) -> object:
    one = market.symbols[asked["product_id"]]
    bids, asks = (
        [{"price": price, "size": volume} for price, volume in side]
        for side in _sides(one, int(asked.get("limit", 0)))
    )
    return {"pricebook": {"product_id": one.name, "bids": bids, "asks": asks}}


def _kraken_depth(market: Market, tail: str, asked: dict) -> object:
    wanted = asked["pair"].replace("/", "")
    for one, base, quote in _listed(market):
        coin = KRAKEN_NAMES.get(base, base)
        if wanted in (base + quote, coin + quote, f"X{coin}Z{quote}"):
            now = one.ts_ns // 10**9
            bids, asks = (
                [[*level, now] for level in side]
                for side in _sides(one, int(asked.get("count", 100)))
            )
            return {"error": [], "result": {f"X{coin}Z{quote}": {"asks": asks, "bids": bids}}}
    return {"error": ["EQuery:Unknown asset pair"]}


Answer = Callable[[Market, str, dict], object]
PATHS: dict[str, dict[str, Answer]] = {
    "binance": {"/api/v3/exchangeInfo": _binance_listing, "/api/v3/depth": _binance_depth},
    "bitfinex": {"/v2/conf/": _bitfinex_listing, "/v2/book/": _bitfinex_depth},
    "bitstamp": {"/api/v2/markets/": _bitstamp_listing, "/api/v2/order_book/": _bitstamp_depth},
    "coinbase": {
        "/api/v3/brokerage/market/products": _coinbase_listing,
        "/api/v3/brokerage/market/product_book": _coinbase_depth,
    },
    "kraken": {"/0/public/AssetPairs": _kraken_listing, "/0/public/Depth": _kraken_depth},
}
