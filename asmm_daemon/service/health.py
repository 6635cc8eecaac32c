"""Live facts of the running daemon that the engine does not know."""

from dataclasses import dataclass, field

from asmm_daemon.core.view import EngineView, LearningView
from asmm_daemon.service.cadence import LagMeter

RELOAD_REFUSED = "reload refused, the old configuration is in force"
"""What a person reads before the reason, until a reload succeeds."""


@dataclass(slots=True)
class Health:
    """Written by the daemon's tasks, read by HTTP, metrics and the summary."""

    config_sha256: str
    model_sha256: str = ""
    lag: LagMeter = field(default_factory=LagMeter)
    reload_ok: bool = True
    reload_error: str = ""
    budget_ratio: float = 0.0
    deadman: dict[str, bool] = field(default_factory=dict)
    stopping: str = ""
    failure: str = ""
    view: EngineView | None = None
    """The engine as of the last second: what metrics and the terminal show."""
    learning: LearningView | None = None
    """Learning as of the last second, None where it is off."""
    last_cycle_mono_ns: int = 0
    last_watch_mono_ns: int = 0
