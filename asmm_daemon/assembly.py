"""The parts that a session, an errand and a replay are put together from."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asmm_daemon import specs
from asmm_daemon.backtest.setup import Setup, unseen
from asmm_daemon.clock import Clock
from asmm_daemon.config import Config, Keys
from asmm_daemon.core.engine import Engine
from asmm_daemon.core.policy import FixedPolicy, Policy
from asmm_daemon.core.spec import MarketSpec
from asmm_daemon.learn import model_file
from asmm_daemon.learn.inference import ModelPolicy
from asmm_daemon.learn.online import rules
from asmm_daemon.learn.online.exploring import Exploring
from asmm_daemon.service.event_log import Start
from asmm_daemon.units import Instrument
from asmm_daemon.venue.adapter import CcxtVenue
from asmm_daemon.venue.protocol import Capabilities, VenueSettings

if TYPE_CHECKING:
    from asmm_daemon.learn.online.online import Guard, Online

PREFIX = "asmm"


def cid_prefix(settings: Config) -> str:
    """What every client order id of this daemon begins with: the program and its instance."""
    return f"{PREFIX}{settings.venue.instance}-"


def make_venue(settings: Config, keys: Keys, clock: Clock, rest_url: str, ws_url: str) -> CcxtVenue:
    """The adapter for the configured venue."""
    return CcxtVenue(
        VenueSettings(
            product=settings.venue.name,
            symbols=tuple(market.symbol for market in settings.market),
            key=keys.key.get_secret_value(),
            secret=keys.secret.get_secret_value(),
            rest_url=rest_url,
            ws_url=ws_url,
            sandbox=settings.mode == "testnet" and not rest_url,
            cid_prefix=cid_prefix(settings),
            timeout_s=settings.venue.timeout_s,
            recv_window_ms=settings.venue.recv_window_ms,
        ),
        clock,
    )


def make_specs(
    settings: Config,
    instruments: Sequence[Instrument],
    policies: Sequence[Policy],
    capabilities: Capabilities,
) -> list[MarketSpec]:
    """What the engine is told of each market."""
    return [
        specs.market_spec(
            market,
            instrument,
            policy,
            can_amend=capabilities.amend,
            can_replace=capabilities.replace,
            heartbeat=capabilities.heartbeat,
        )
        for market, instrument, policy in zip(settings.market, instruments, policies, strict=True)
    ]


def build_engine(settings: Config, policies: Sequence[Policy], start: Start) -> Engine:
    """An engine from its settings, the venue's facts and the journal: the same from the same."""
    market_specs = make_specs(settings, start.instruments, policies, start.capabilities)
    engine = Engine(market_specs, specs.account_limits(settings), start.identity)
    engine.restore(start.restored)
    if start.held:
        engine.hold(start.held, start.held_ns)
    return engine


def load_policies(settings: Config) -> tuple[list[Policy], str]:
    """One policy per market, and the hash of the model files in use."""
    policies: list[Policy] = []
    for market in settings.market:
        if market.policy.model_file:
            model = model_file.load_policy(Path(market.policy.model_file))
            policies.append(explored(model, settings))
        else:
            policies.append(FixedPolicy(market.quoting.gamma, market.quoting.skew))
    return policies, model_hashes(policies)


def explored(model: ModelPolicy, settings: Config) -> Policy:
    """The model, with the random actions that online learning may take with real money."""
    learning = settings.learning
    if not (learning.online and learning.explore):
        return model
    return Exploring(model, learning.explore, learning.seed)


def model_hashes(policies: Sequence[Policy]) -> str:
    """The hashes of the models among the policies."""
    return "+".join(sorted({p.sha256 for p in policies if isinstance(p, (ModelPolicy, Exploring))}))


def make_online(current: Callable[[], Config], engine: Engine, guard: "Guard") -> "Online":
    """Online learning of every market that has a model; `current` are the settings in force at any time.

    Raises ModelError or StateError when a model or the transitions of an earlier session cannot be read.
    """
    from asmm_daemon.learn.online.online import Online  # noqa: PLC0415 (torch, only where it is wanted)
    from asmm_daemon.learn.online.student import Student  # noqa: PLC0415

    def simulated(m: int) -> Setup:
        settings = current()
        limits, cycle_s = specs.account_limits(settings), settings.market[m].quoting.cycle_s
        return Setup("trial", unseen(engine.specs[m]), limits, cycle_s=cycle_s)

    settings = current()
    students = [
        Student(
            m,
            market.symbol,
            Path(market.policy.model_file),
            rules.learning_folder(settings),
            options=lambda: rules.options(current()),
            setup=simulated,
        )
        for m, market in rules.learners(settings)
    ]
    return Online(
        students,
        cpu_share=settings.learning.cpu_share,
        cycle_s=settings.market[0].quoting.cycle_s / settings.demo.speed,
        guard=guard,
    )
