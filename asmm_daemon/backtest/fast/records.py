"""The flat records of one simulated daemon, and their beginning."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.result import FILL, HORIZONS_S, STEP
from asmm_daemon.backtest.venue import QUEUE, Venue, new_venue
from asmm_daemon.core.decision import Decision, new_decision
from asmm_daemon.core.diff import CHANGE, DESIRED, SLOTS, WORKING
from asmm_daemon.core.features import N_STATE
from asmm_daemon.core.inventory import Inventory, new_inventory
from asmm_daemon.core.market import MarketState, new_market
from asmm_daemon.core.params import MAX_LEVELS, Params, to_record
from asmm_daemon.core.spec import AccountLimits, MarketLimits, MarketSpec
from asmm_daemon.errors import ConfigError
from asmm_daemon.units import NS_PER_S

ACTIVE, REDUCING, PAUSED, HALTED = 0, 1, 2, 3
"""Trading states, as `core.oversight.State` numbers them."""
STARTUP, WARMING, STALE, INVALID, FLASH, RECONCILE, DISCONNECT = 1, 2, 4, 8, 16, 32, 64
SOFT, INVENTORY_HIGH, STUCK, DRAWDOWN = 128, 256, 512, 1024
"""Causes, one bit each."""
PAUSING = STARTUP | WARMING | STALE | INVALID | FLASH | RECONCILE | DISCONNECT
LIMITING = SOFT | INVENTORY_HIGH | STUCK
SWEEPING = DISCONNECT | FLASH | DRAWDOWN

NEW, LIVE, AMENDING, LEAVING = 0, 1, 2, 3
"""States of an order; a final one is taken out."""

ENTRY = np.dtype(
    [
        ("id", np.int64),
        ("side", np.int64),
        ("level", np.int64),
        ("price", np.int64),
        ("qty", np.int64),
        ("booked", np.int64),
        ("state", np.int64),
        ("next_price", np.int64),  # terms of an amendment under way, 0: none
        ("next_qty", np.int64),
        ("amends", np.int64),
        ("replaced", np.bool_),
    ],
    align=True,
)
BACKOFF = np.dtype([("until_ns", np.int64), ("strikes", np.int64)], align=True)
EXECUTED_ORDER = np.dtype([("t_ns", np.int64), ("side", np.int64), ("order", np.int64)], align=True)
SECOND = np.dtype([("second", np.int64), ("low", np.float64), ("high", np.float64)], align=True)
WATCH_NS = NS_PER_S // 10
"""Time between two beats of the watchdog."""
RING = 1024
"""Sent messages, executed orders and seconds remembered."""

LIMITS = np.dtype(
    [(name, np.float64) for name in MarketLimits.__dataclass_fields__]
    + [
        (f"account_{name}", np.float64)
        for name in AccountLimits.__dataclass_fields__
        if name not in {"spot_equity", "asset_prices"}
    ]
    + [
        ("hold_target", np.bool_),
        ("can_amend", np.bool_),
        ("can_replace", np.bool_),
        ("spreads_alone", np.bool_),  # the model quotes without σ
    ],
    align=True,
)
"""MarketLimits and AccountLimits by name; `repeat_rearm_s` 0: never by itself."""

DESK = np.dtype(
    [
        ("now_ns", np.int64),
        ("message", np.int64),  # messages that the daemon has seen
        ("top", np.int64),  # where it stands in the trail
        ("move", np.int64),
        ("moment", np.int64),
        ("silence", np.int64),  # the first one of the trail that is not over
        ("scanned", np.int64),  # first top of which it is not known that its price was held
        ("cycle_ns", np.int64),  # next quote cycle
        ("watch_ns", np.int64),  # next beat of the watchdog that changes anything
        ("beat_ns", np.int64),  # the last one that was taken
        ("calm", np.bool_),  # whether those after it change nothing by themselves
        ("cycle_step_ns", np.int64),
        ("state", np.int64),
        ("since_ns", np.int64),
        ("causes", np.int64),
        ("swept_for", np.int64),
        ("swept_ns", np.int64),
        ("asks", np.bool_),  # whether a policy outside is asked at every cycle
        ("reset", np.bool_),  # the policy is to forget the past
        ("gamma", np.float64),
        ("skew", np.float64),
        ("action", np.int64),
        ("quoting", np.bool_),
        ("refused", np.bool_),
        ("decided_ns", np.int64),
        ("decided_off", np.int64),
        ("off", np.int64),  # sides off by repeated execution: 1 bids, 2 asks
        ("off_ns", np.int64, (2,)),
        # money, in quote currency
        ("opened", np.bool_),
        ("lots", np.int64),
        ("cash", np.float64),
        ("cost", np.float64),
        ("fees", np.float64),
        ("funding", np.float64),  # received
        ("volume", np.float64),
        ("peak", np.float64),  # NaN: none yet
        ("soft_peak", np.float64),
        ("soft", np.bool_),
        ("flat_ns", np.int64),  # -1: not flat
        ("hold_price", np.float64),  # NaN: not holding yet
        ("hold_target", np.float64),  # 0 until then
        ("hold_excess", np.float64),
        # watches
        ("proof_ns", np.int64),
        ("heard_ns", np.int64),
        ("ready", np.bool_),  # σ, asked for while warming
        ("invalid_ns", np.int64),  # -1: valid
        ("asked_ns", np.int64),
        ("reconcile_ns", np.int64),
        ("reconciling", np.bool_),
        ("high", np.bool_),
        ("stuck", np.bool_),
        ("stuck_ns", np.int64),  # -1: not above
        ("flash_ns", np.int64),  # end of the cool-down, 0: none
        ("seconds", np.int64),  # of the flash watch, the first one kept and their end
        ("seconds_from", np.int64),
        ("noted", np.float64),  # the mid that it saw last, ticks
        ("unseen_ns", np.int64),  # the first beat to see the present mid, 0: it was taken
        ("low", np.float64),
        ("high_mid", np.float64),
        ("sent", np.int64),  # messages within the last second: from, to
        ("sent_from", np.int64),
        ("executed", np.int64),
        ("executed_from", np.int64),
        # orders
        ("orders", np.int64),
        ("moved", np.bool_),  # whether the last difference may be out of date, or was refused in part
        ("serial", np.int64),
        ("bid", np.int64),  # our best resting prices, 0: none
        ("ask", np.int64),
        # what is counted
        ("placed", np.int64),
        ("amended", np.int64),
        ("cancelled", np.int64),
        ("crossed", np.int64),
        ("counted_ns", np.int64),
        ("healthy_ns", np.int64),
        ("near_bid_ns", np.int64),
        ("near_ask_ns", np.int64),
        ("near_both_ns", np.int64),
        ("limit_ns", np.int64),
        ("steps", np.int64),
        ("fills", np.int64),
        ("later", np.int64, (len(HORIZONS_S),)),  # next fill whose later mid is due
        ("later_ns", np.int64),  # when the next one is due
    ],
    align=True,
)


class Fast(NamedTuple):
    """One simulated daemon and its venue: everything that a run changes.

    `market` is what a decision reads, brought up from the trail; its book is empty.
    """

    venue: Venue
    market: MarketState
    params: Params
    limits: NDArray[Any]
    inventory: Inventory
    decision: Decision
    features: NDArray[np.float64]
    desk: NDArray[Any]
    orders: NDArray[Any]
    levels: NDArray[np.int64]
    backoffs: NDArray[Any]
    sent: NDArray[np.int64]
    executed: NDArray[Any]
    seconds: NDArray[Any]
    desired: NDArray[Any]
    working: NDArray[Any]
    changes: NDArray[Any]
    steps: NDArray[Any]
    fills: NDArray[Any]


def limits_record(spec: MarketSpec, account: AccountLimits, *, spreads_alone: bool) -> NDArray[Any]:
    """The one-element LIMITS record. Raises ConfigError for what only the core engine can do."""
    for name, wrong in (
        ("limits.reduce_ioc", spec.limits.reduce_ioc),
        ("account.flatten_on_halt", account.flatten_on_halt),
    ):
        if wrong:
            raise ConfigError(f"{name} = true: the fast engine cannot, use --engine core")
    record = np.zeros(1, LIMITS)
    for name in MarketLimits.__dataclass_fields__:
        record[name] = float(getattr(spec.limits, name) or 0.0)
    for name in AccountLimits.__dataclass_fields__:
        if f"account_{name}" in (LIMITS.names or ()):
            record[f"account_{name}"] = float(getattr(account, name))
    record["hold_target"] = account.spot_equity == "hold_target"
    record["can_amend"], record["can_replace"] = spec.can_amend, spec.can_replace and not spec.can_amend
    record["spreads_alone"] = spreads_alone
    return record


def new_desk(spec: MarketSpec, *, start_ns: int, cycle_s: float, asks: bool) -> NDArray[Any]:
    """The desk of a daemon that starts at `start_ns`, its beats on a grid from there."""
    desk = np.zeros(1, DESK)
    one = desk[0]
    one["now_ns"] = one["counted_ns"] = one["heard_ns"] = start_ns
    one["cycle_step_ns"] = round(cycle_s * NS_PER_S)
    one["cycle_ns"] = start_ns + one["cycle_step_ns"]
    one["watch_ns"] = start_ns
    one["beat_ns"] = start_ns - WATCH_NS
    one["state"], one["causes"] = PAUSED, STARTUP | WARMING
    one["asks"] = asks
    one["gamma"], one["skew"], one["action"] = spec.quote.gamma, spec.quote.skew, -1
    for name in ("peak", "soft_peak", "hold_price"):
        one[name] = np.nan
    for name in ("flat_ns", "invalid_ns", "stuck_ns"):
        one[name] = -1
    one["later_ns"] = 2**62
    return desk


def new_fast(
    spec: MarketSpec,
    account: AccountLimits,
    *,
    start_ns: int,
    steps: int,
    cycle_s: float,
    entry_ns: int,
    response_ns: int,
    asks: bool,
    spreads_alone: bool,
    width: int = 65536,
) -> Fast:
    """A daemon and a venue at the beginning of a tape, with room for `steps` cycles."""
    return Fast(
        venue=new_venue(entry_ns=entry_ns, response_ns=response_ns, width=width),
        market=new_market(1),
        params=to_record(spec.quote, spec.instrument),
        limits=limits_record(spec, account, spreads_alone=spreads_alone),
        inventory=new_inventory(),
        decision=new_decision(),
        features=np.zeros(N_STATE),
        desk=new_desk(spec, start_ns=start_ns, cycle_s=cycle_s, asks=asks),
        orders=np.zeros(SLOTS, ENTRY),
        levels=np.zeros(QUEUE, np.int64),
        backoffs=np.zeros(2 * MAX_LEVELS, BACKOFF),
        sent=np.zeros(RING, np.int64),
        executed=np.zeros(RING, EXECUTED_ORDER),
        seconds=np.zeros(RING, SECOND),
        desired=np.zeros(2 * MAX_LEVELS, DESIRED),
        working=np.zeros(SLOTS, WORKING),
        changes=np.zeros(SLOTS + 2 * MAX_LEVELS, CHANGE),
        steps=np.zeros(steps, STEP),
        fills=np.zeros(4096, FILL),
    )
