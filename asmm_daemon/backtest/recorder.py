"""What a run of the core engine leaves behind: the records of `result.py`, read off the daemon's engine."""

from collections import Counter
from decimal import Decimal
from math import nan

import numpy as np

from asmm_daemon.backtest.result import FILL, HORIZONS_S, STEP, Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.venue import AMEND, CANCEL, PLACE, REPLACE
from asmm_daemon.core.engine import Engine
from asmm_daemon.core.quotes import REACH_BPS, REACH_TICKS
from asmm_daemon.core.switches import range_share
from asmm_daemon.events import FillEvent
from asmm_daemon.tape.columns import TapeInfo
from asmm_daemon.units import NS_PER_S

LIMIT_SHARE = 0.9
_SPANS = ("healthy_s", "near_bid_s", "near_ask_s", "near_both_s", "limit_s")


class Recorder:
    """Counts time between events and writes down steps and fills."""

    def __init__(self, setup: Setup, engine: Engine, start_ns: int) -> None:
        self.setup, self.engine = setup, engine
        self.tick = float(setup.spec.instrument.tick)
        self._counted_ns = start_ns
        self._spans = dict.fromkeys(_SPANS, 0)
        self._resting = (0, 0)
        self._steps: list[np.void] = []
        self._fills: list[np.void] = []
        self._later = [0] * len(HORIZONS_S)
        self._sent: Counter[int] = Counter()
        self._crossed = 0

    def sent(self, kind: int) -> None:
        """A request left."""
        self._sent[kind] += 1

    def crossed(self) -> None:
        """A post-only order was refused."""
        self._crossed += 1

    def see(self) -> None:
        """The engine has taken in an event."""
        self._resting = self.engine.best_resting(0)

    def count(self, t_ns: int) -> None:
        """Adds the time since the last event to what held during it."""
        span = t_ns - self._counted_ns
        market = self.engine.market(0).market[0]
        if span <= 0:
            return
        self._counted_ns = t_ns
        if not market["valid"]:
            return
        mid = float(market["mid"])
        reach = max(REACH_BPS * 1e-4 * mid, REACH_TICKS)
        bid, ask = self._resting
        near_bid, near_ask = bid > 0 and mid - bid <= reach, ask > 0 and ask - mid <= reach
        limited = self._share() > LIMIT_SHARE
        held = (True, near_bid, near_ask, near_bid and near_ask, limited)
        for name, holds in zip(_SPANS, held, strict=True):
            self._spans[name] += span if holds else 0

    def _share(self) -> float:
        ledger, most = self.engine.ledger(0), self.engine.max_inventory(0)
        if ledger.opened_ns is None:
            return 0.0
        return range_share(ledger.qty, most, spot=self.setup.spec.instrument.is_spot)

    def before_message(self, t_ns: int) -> None:
        """Reads the mid that held until now, for the fills whose horizons are over."""
        market = self.engine.market(0).market[0]
        mid = float(market["mid"]) * self.tick if market["valid"] else nan
        for h, horizon in enumerate(HORIZONS_S):
            while self._later[h] < len(self._fills):
                fill = self._fills[self._later[h]]
                if fill["t_ns"] + int(horizon * NS_PER_S) > t_ns:
                    break
                fill["later"][h] = mid
                self._later[h] += 1

    def fill(self, event: FillEvent, order: int, reply: np.void) -> None:
        """An execution, as the venue told it."""
        row = np.zeros(1, FILL)[0]
        twice = int(reply["twice_mid"])
        row["t_ns"], row["order"], row["trade"] = event.venue_ns, order, reply["trade"]
        row["side"], row["maker"] = event.side, event.maker
        row["price"], row["qty"], row["fee"] = float(event.price), float(event.qty), float(event.fee)
        row["mid"] = 0.5 * twice * self.tick if twice > 0 else nan
        row["later"][:] = nan
        self._fills.append(row)

    def step(self, t_ns: int) -> None:
        """The record of the cycle that ends now."""
        view = self.engine.view().markets[0]
        market = self.engine.market(0).market[0]
        row = np.zeros(1, STEP)[0]
        bid, ask = self._resting
        mid = float(market["mid"]) * self.tick
        row["t_ns"], row["mid"] = t_ns, mid if mid > 0 else nan
        target, held = self.engine.ledger(0).held(Decimal(str(mid)))
        row["inventory"], row["target"] = float(view.inventory), float(target)
        row["equity"] = float(view.pnl_net - held)
        row["realised"] = float(view.pnl_realised)
        row["fees"] = float(sum(view.fees.values(), Decimal(0)))
        row["funding"] = float(view.funding)
        row["volume"] = float(view.volume_quote)
        row["bid"], row["ask"] = bid * self.tick if bid else nan, ask * self.tick if ask else nan
        row["half_spread"] = view.half_spread if self.engine.quoting(0) else nan
        action = self.engine.action(0)
        row["gamma"], row["skew"], row["action"] = action.gamma, action.skew, action.index
        row["sigma"], row["kappa"] = view.sigma, view.kappa
        for name in _SPANS:
            row[name] = self._spans[name] / NS_PER_S
        self._spans = dict.fromkeys(_SPANS, 0)
        self._steps.append(row)

    def result(self, info: TapeInfo, *, messages: int, rows: int) -> Result:
        """What the run has come to."""
        sent = self._sent
        return Result(
            info=info,
            strategy=self.setup.name,
            capital=float(self.setup.account.capital),
            cycle_s=self.setup.cycle_s,
            steps=np.array(self._steps, STEP),
            fills=np.array(self._fills, FILL),
            counts={
                "orders": sent[PLACE] + sent[REPLACE],
                "amends": sent[AMEND],
                "cancels": sent[CANCEL] + sent[REPLACE],
                "post_only_rejects": self._crossed,
                "fallbacks": sum(self.engine.view().markets[0].fallbacks.values()),
                "messages": messages,
                "rows": rows,
            },
            settings=self.setup.settings(),
        )
