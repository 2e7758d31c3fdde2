"""Bitfinex: spot, WebSocket version 2.

channels.py       the channels of a connection: number -> instrument, what it carries
public.py         market data: frames of the WebSocket -> records
checksum.py       the venue's checksum of a book
instruments.py    the venue's listing of pairs -> Listed
subscriptions.py  the texts that ask for market data, and the limits on asking

Facts the venue does not say in its market data. It takes no trading fees since December 2025; who
tests a strategy on older days had to pay 1,000 and 2,000 ppm. The first is the press's word, the
second an old announcement's: ours, until the venue's own text is at hand.
"""

# Name in the tables: maker and taker fee in parts per million.
VENUES = {"bitfinex": {"maker_fee_ppm": 0, "taker_fee_ppm": 0}}

# Prices have so many significant digits, and at most so many decimals; amounts always so many.
SIGNIFICANT_DIGITS = 5
PRICE_EXPONENT, VOLUME_EXPONENT = 8, 8

# Names that others do not use, where the venue's own map is not at hand: as it was in 2021.
COMMON_NAMES = {"UST": "USDT", "UDC": "USDC", "DSH": "DASH", "IOT": "IOTA", "QTM": "QTUM"} | {
    **{"ALG": "ALGO", "AMP": "AMPL", "ATO": "ATOM", "DAT": "DATA", "EUS": "EURS", "EUT": "EURT"},
    **{"MNA": "MANA", "OMN": "OMNI", "STJ": "STORJ", "TSD": "TUSD", "VSY": "VSYS", "WBT": "WBTC"},
}


def split_symbol(symbol: str) -> tuple[str, str]:
    """(base, quote) of a market-data symbol, in the venue's names: tBTCUSD, tDUSK:USD.

    Three letters each, or a colon where one has more.
    """
    pair = symbol.removeprefix("t")
    base, colon, quote = pair.partition(":")
    return (base, quote) if colon else (pair[:3], pair[3:])
