"""Prometheus metrics: names and labels as the operator's dashboards expect them.

Gauges are read from the engine's latest frozen view at scrape time, on the metrics server's own
thread; only counters of passing moments (cycle time, round trips) are fed by the daemon.
"""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from asmm_daemon import __version__
from asmm_daemon.core.view import EngineView, LearningView, LessonView, MarketView
from asmm_daemon.errors import StateError
from asmm_daemon.service.health import Health

STATES = ("ACTIVE", "REDUCING", "PAUSED", "HALTED")
_SIDES = {1: "buy", -1: "sell"}

_MARKET_GAUGES: tuple[tuple[str, str, Callable[[MarketView], float]], ...] = (
    ("asmm_book_age_seconds", "Age of the book's last proof", lambda v: v.book_age_s),
    ("asmm_inventory_base", "Inventory, base currency", lambda v: float(v.inventory)),
    (
        "asmm_inventory_limit_base",
        "Effective maximum inventory, base currency",
        lambda v: float(v.inventory_limit),
    ),
    ("asmm_sigma", "Volatility, quote currency per square root of a second", lambda v: v.sigma),
    ("asmm_kappa", "Decay of the fill intensity, 1/quote currency", lambda v: v.kappa),
    ("asmm_intensity_a", "Fill intensity at the reference price, 1/s", lambda v: v.intensity_a),
    ("asmm_gamma", "Risk aversion in force, dimensionless", lambda v: v.gamma),
    ("asmm_skew", "Skew in force, half-spreads", lambda v: v.skew),
    ("asmm_unknown_orders", "Orders whose outcome is not known", lambda v: v.unknown_orders),
)
_MARKET_COUNTERS: tuple[tuple[str, str, Callable[[MarketView], float]], ...] = (
    ("asmm_cycles_skipped", "Quote cycles that were late and left out", lambda v: v.counts.cycles_skipped),
)
_LESSON_COUNTERS: tuple[tuple[str, str, Callable[[LessonView], float]], ...] = (
    ("asmm_learning_updates", "Updates of the shadow model", lambda v: v.updates),
    ("asmm_learning_trials", "Trials of the shadow against the running model", lambda v: v.trials),
    ("asmm_learning_swaps", "Shadow models that took over", lambda v: v.swaps),
)


class Metrics(Collector):
    """Everything that `/metrics` shows, read from the daemon's live facts."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.cycle_s = Histogram(
            "asmm_cycle_seconds",
            "One quote cycle: features, model, risk, order difference",
            ["symbol"],
            buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0),
            registry=self.registry,
        )
        self.round_trip_s = Histogram(
            "asmm_order_round_trip_seconds",
            "From an order request to the venue's reply, real seconds",
            ["symbol"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
            registry=self.registry,
        )

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Serves on a thread of its own; returns what stops it. Port 0 serves nothing."""
        if port == 0:
            return lambda: None
        try:
            server, thread = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise StateError(
                f"service.metrics_port = {port}: {host}:{port} cannot be bound ({error.strerror}); "
                "choose a free port, or 0 for none"
            ) from None

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def collect(self) -> Iterable[Metric]:
        """Yields the families, from one view."""
        health = self._health
        info = InfoMetricFamily("asmm_build", "Version, configuration and model in force")
        info.add_metric(
            [], {"version": __version__, "config": health.config_sha256, "model": health.model_sha256}
        )
        yield info
        yield _gauge("asmm_loop_lag_seconds", "How late the event loop last woke", health.lag.last_s)
        yield _gauge(
            "asmm_config_last_reload_successful",
            "1 unless the last reload was refused",
            float(health.reload_ok),
        )
        if health.learning is not None:
            yield from _learning(health.learning)
        view = health.view
        if view is None:
            return
        state = GaugeMetricFamily("asmm_state", "1 for the trading state in force", labels=["state"])
        for name in STATES:
            state.add_metric([name], float(name == view.state))
        yield state
        yield _gauge("asmm_equity_quote", "Equity, quote currency", float(view.equity))
        yield _gauge("asmm_drawdown_ratio", "Drawdown from the peak of equity", view.drawdown)
        yield _gauge("asmm_request_budget_ratio", "Share of the request budget in use", health.budget_ratio)
        yield from self._per_market(view)

    def _per_market(self, view: EngineView) -> Iterable[Metric]:
        markets = view.markets
        for name, text, read in _MARKET_GAUGES:
            yield _by_symbol(GaugeMetricFamily(name, text, labels=["symbol"]), markets, read)
        for name, text, read in _MARKET_COUNTERS:
            yield _by_symbol(CounterMetricFamily(name, text, labels=["symbol"]), markets, read)
        armed = GaugeMetricFamily(
            "asmm_deadman_armed", "1 while the venue would cancel for us", labels=["symbol"]
        )
        for symbol, on in self._health.deadman.items():
            armed.add_metric([symbol], float(on))
        yield armed
        age = GaugeMetricFamily(
            "asmm_data_age_seconds", "Age of a channel's last proof", labels=["symbol", "stream"]
        )
        for channel, seconds in view.channel_age_s.items():
            symbol, _, stream = channel.rpartition("/")
            if isfinite(seconds):
                age.add_metric([symbol, stream], seconds)
        yield age
        yield _labelled(
            GaugeMetricFamily,
            "asmm_switch_distance_ratio",
            "0 tripped, 1 far",
            "switch",
            markets,
            lambda v: v.distances,
        )
        yield _labelled(
            CounterMetricFamily,
            "asmm_fills",
            "Executions",
            "side",
            markets,
            lambda v: {"buy": v.counts.fills_buy, "sell": v.counts.fills_sell},
        )
        yield _labelled(
            CounterMetricFamily,
            "asmm_orders",
            "Requests",
            "action",
            markets,
            lambda v: {"create": v.counts.orders, "amend": v.counts.amends, "cancel": v.counts.cancels},
        )
        yield _labelled(
            CounterMetricFamily, "asmm_rejects", "Refusals by the venue", "code", markets, lambda v: v.rejects
        )
        yield _labelled(
            CounterMetricFamily,
            "asmm_policy_fallbacks",
            "Decisions of plain AS instead of the model",
            "reason",
            markets,
            lambda v: v.fallbacks,
        )
        quotes = GaugeMetricFamily(
            "asmm_quote_price", "Own quote, quote currency", labels=["symbol", "side", "level"]
        )
        for market in markets:
            for order in market.orders:
                quotes.add_metric([market.symbol, _SIDES[order.side], str(order.level)], float(order.price))
        yield quotes


def _learning(view: LearningView) -> Iterable[Metric]:
    yield _gauge("asmm_learning_cpu_ratio", "Share of a core that learning has used", view.cpu_share)
    yield _gauge("asmm_learning_failed", "1 once learning has stopped", float(bool(view.failure)))
    for name, text, read in _LESSON_COUNTERS:
        counter = CounterMetricFamily(name, text, labels=["symbol"])
        for lesson in view.markets:
            counter.add_metric([lesson.symbol], read(lesson))
        yield counter
    known = GaugeMetricFamily("asmm_learning_transitions", "Transitions to learn from", labels=["symbol"])
    result = GaugeMetricFamily(
        "asmm_learning_result_per_hour", "Net PnL in the last trial", labels=["symbol", "model"]
    )
    for lesson in view.markets:
        known.add_metric([lesson.symbol], lesson.transitions)
        for model, value in (("running", lesson.running_per_hour), ("shadow", lesson.shadow_per_hour)):
            if isfinite(value):
                result.add_metric([lesson.symbol, model], value)
    yield known
    yield result


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _by_symbol(family: Any, markets: Iterable[MarketView], read: Callable[[MarketView], float]) -> Metric:
    for market in markets:
        value = read(market)
        if isfinite(value):
            family.add_metric([market.symbol], value)
    result: Metric = family
    return result


def _labelled(
    family_type: type[Metric],
    name: str,
    text: str,
    label: str,
    markets: Iterable[MarketView],
    read: Callable[[MarketView], Mapping[str, float]],
) -> Metric:
    family: Any = family_type(name, text, labels=["symbol", label])  # type: ignore[call-arg]
    for market in markets:
        for key, value in read(market).items():
            if isfinite(value):
                family.add_metric([market.symbol, key], value)
    result: Metric = family
    return result
