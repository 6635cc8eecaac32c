"""Where the embedded exchange's market comes from.

A feed hands out venue messages in time order, already on the venue's clock. It knows nothing of
orders or accounts: it is what the rest of the world does. `make_feed` builds one from its name:
`synthetic`, `replay:PATH`, `mirror`, or several joined by `;`.
"""

from typing import Protocol
from urllib.parse import parse_qs

from asmm_daemon.errors import ConfigError
from asmm_daemon.events import Rows
from asmm_daemon.exchange.feeds.markets import listed
from asmm_daemon.exchange.feeds.merged import MergedFeed, Stream, check_symbols
from asmm_daemon.exchange.feeds.mirror import MirrorFeed, make_mirror
from asmm_daemon.exchange.feeds.replay import ReplayStream
from asmm_daemon.exchange.feeds.synthetic import DEFAULT_SYMBOLS, synthetic_stream
from asmm_daemon.tape.booked import Booked
from asmm_daemon.tape.columns import Source
from asmm_daemon.tape.load import open_all
from asmm_daemon.tape.window import Window
from asmm_daemon.units import Instrument, Product, utc_ns

_OPTIONS = ("as", "symbol", "from", "to")


class Feed(Protocol):
    """Messages of one or more markets. `exch_ns` never runs backwards within a symbol."""

    @property
    def instruments(self) -> list[Instrument]:
        """The markets; a message's symbol index counts in this list."""
        ...

    @property
    def offsets_ns(self) -> list[int]:
        """For each market, venue clock minus the recording's clock."""
        ...

    def next_ns(self) -> int | None:
        """Venue time of the next message; None when the feed has ended (or, live, has none yet)."""
        ...

    def pop(self) -> tuple[int, Rows]:
        """The next message: symbol index and rows, `local_ns` being when a client would receive it."""
        ...

    def close(self) -> None:
        """Lets go of files and connections."""
        ...


def make_feed(spec: str, product: Product, start_ns: int, seed: int, *, loop: bool = False) -> Feed:
    """The feed that `spec` names.

    Args:
        spec: `synthetic`, `synthetic:SYMBOL,SYMBOL`, `replay:PATH,PATH` (each PATH a file or folder, with
            `?symbol=RECORDED` to choose one market of it, `?as=SYMBOL` to list it under another name,
            `?from=2026-01-06T18:00&to=2026-01-07` to cut it, in UTC),
            `mirror:SYMBOL,SYMBOL` (the real venue, or with `?rest=URL&ws=URL` another server that speaks
            its protocol); synthetic and replayed markets may be joined by `;`.
        product: the venue's product; recordings of the same kind (spot or perpetual) are preferred.
        start_ns: venue time at which the feed begins.
        seed: of the synthetic feed.
        loop: let recordings start over.

    Raises:
        ConfigError: the name is not one of these, or two markets would have one symbol.
        TapeError: a recording cannot be read, or holds trades without a book.
        VenueError: the venue to mirror cannot be reached or does not list a symbol.
    """
    if spec.startswith("mirror"):
        return _mirrored(spec, product)
    streams: list[Stream] = []
    for item in spec.split(";"):
        kind, _, rest = item.partition(":")
        if kind == "replay" and rest:
            for path in rest.split(","):
                streams += _replayed(path, product, start_ns, loop=loop)
        elif kind == "synthetic":
            for symbol in rest.split(",") if rest else DEFAULT_SYMBOLS:
                streams.append(synthetic_stream(symbol, product, start_ns, seed))
        else:
            raise ConfigError(f"feed {item!r}: expected synthetic, replay:PATH or mirror")
    check_symbols([stream.instrument for stream in streams])
    return MergedFeed(streams)


def _mirrored(spec: str, product: Product) -> Feed:
    symbols, _, query = spec.removeprefix("mirror").removeprefix(":").partition("?")
    roots = {key: values[0] for key, values in parse_qs(query).items()}
    unknown = [key for key in roots if key not in ("rest", "ws")]
    if ";" in spec or not symbols or unknown:
        raise ConfigError(f"feed {spec!r}: expected mirror:SYMBOL,SYMBOL, alone")
    mirror = make_mirror(symbols.split(","), product, roots.get("rest", ""), roots.get("ws", ""))
    return MirrorFeed(mirror)


def _replayed(text: str, product: Product, start_ns: int, *, loop: bool) -> list[Stream]:
    path, _, query = text.partition("?")
    options = {key: values[0] for key, values in parse_qs(query).items()}
    unknown = [key for key in options if key not in _OPTIONS]
    if unknown:
        raise ConfigError(
            f"feed replay:{text}: unknown option {unknown[0]!r}; there are {', '.join(_OPTIONS)}"
        )
    sources: list[Source] = [Booked(source) for source in open_all(path)]
    if "symbol" in options:
        sources = [source for source in sources if source.info.symbol == options["symbol"]]
        if not sources:
            raise ConfigError(f"feed replay:{text}: {path} holds no {options['symbol']}")
    spot = product in ("binance", "bybit-spot")
    alike = [source for source in sources if source.info.is_spot == spot]
    sources = alike or sources
    name = options.get("as")
    if name and len(sources) > 1:
        raise ConfigError(f"feed replay:{text}: 'as' needs one market; choose it with 'symbol'")
    low, high = (_moment(text, options[key]) if key in options else None for key in ("from", "to"))
    if low is not None or high is not None:
        sources = [Window(source, low, high) for source in sources]
    return [ReplayStream(s, listed(product, s.info, name), start_ns, loop=loop) for s in sources]


def _moment(text: str, iso: str) -> int:
    try:
        return utc_ns(iso)
    except ValueError:
        raise ConfigError(f"feed replay:{text}: {iso!r} is not a moment such as 2026-01-06T18:00") from None
