"""Scripts of faults for whole sessions, and the table of what happened in them."""

import pickle
import threading
import traceback

from fault_session import Session
from process_tools import wait_for

from asmm_daemon.service import control
from asmm_daemon.units import PRODUCTS

BINANCE = ("binance", "binanceusdm")
CREATE = {"binance": "/api/v3/order", "binanceusdm": "/fapi/v1/order"}
EXECUTION = {"binance": "executionReport", "binanceusdm": "ORDER_TRADE_UPDATE"}
EXPIRE = {"binance": "terminate-user-streams", "binanceusdm": "expire-listen-keys"}
QUICK = ("gap in depth", "5xx after accept", "private stream expired", "silent 6 s", "REST down 40 s")
LONG_SPEED = 5
RETRY_AFTER_S = 60.0
"""What the exchange asks for with a 429, at Binance."""
NARROW = ("quoting.constant_half_spread_bps=1.0",)
WIDE = ("quoting.constant_half_spread_bps=5.0",)
"""So wide that orders rest through a fault and are seldom executed."""
LONG = ("silent 40 s", "fills dropped", "events twice", "events reordered", "429", "SIGKILL")


def _quick(session, started):
    """Speed 1: how soon it reacts."""
    product = session.product
    session.start()
    started.wait(120)
    session.wait_venue(2)
    depth = "depth" if product in BINANCE else "orderbook.50"
    session.inject(QUICK[0], {"on": "stream", "do": "gap", "match": {"name": depth}})
    answer = {"status": 503, "code": -1007} if product in BINANCE else {"status": 504}
    lost = {"on": "response", "do": "drop_after_accept", "arg": answer}
    lost["match"] = {"path": CREATE.get(product, "/v5/order/create"), "method": "POST"}
    session.inject(QUICK[1], lost, after=lambda: _order_anew(session))
    since_ns = session.now_ns()
    if product in BINANCE:
        session.admin(EXPIRE[product], {})
    else:
        session.admin("close", {"name": "private"})
    session.over(QUICK[2], since_ns, 0.0)
    session.inject(QUICK[3], {"on": "stream", "do": "silence", "for_s": 6}, lasts_s=6)
    session.wait_venue(1)
    down = {"on": "response", "do": "drop", "for_s": 40, "match": {"path": "/*"}}
    session.inject(QUICK[4], down, lasts_s=40)
    session.wait_venue(2)
    session.stop()


def _order_anew(session):
    """Pause and unpause, so that both sides are created."""
    control.operate(session.maker.state, "pause", "new orders")
    session.wait_venue(0.5)
    control.operate(session.maker.state, "unpause", "new orders")


def _long(session, started):
    """Faster: what becomes of it."""
    product = session.product
    session.start()
    started.wait(120)
    session.inject(LONG[0], {"on": "stream", "do": "silence", "for_s": 40}, lasts_s=40)
    name = {"name": EXECUTION.get(product, "execution")}
    session.inject(LONG[1], {"on": "event", "do": "drop", "for_s": 30, "match": name}, lasts_s=30)
    session.wait_venue(12)
    session.inject(LONG[2], {"on": "event", "do": "duplicate", "for_s": 25}, lasts_s=25)
    session.inject(LONG[3], {"on": "event", "do": "reorder", "for_s": 25, "p": 0.5}, lasts_s=25)
    limited = {"status": 429, "code": -1003} if product in BINANCE else {"status": 200, "code": 10006}
    wait_s = RETRY_AFTER_S if product in BINANCE else 5.0
    fault = {"on": "response", "do": "status", "match": {"path": "/*"}, "arg": limited}
    session.inject(LONG[4], fault, lasts_s=wait_s)
    session.kill_when_both_rest()
    since_ns = session.now_ns()
    session.wait_venue(8)
    session.start()
    session.over(LONG[5], since_ns, 8.0)
    session.outcomes[LONG[5]].real = session.speed
    session.wait_venue(12)
    session.stop()


class Bundle:
    """What became of all sessions; can be handed to another process."""

    def __init__(self, found, errors):
        self.found, self.errors = found, errors

    def get(self, product, speed):
        """A session's evidence, or the failure that ended it."""
        assert (product, speed) not in self.errors, self.errors[product, speed]
        return self.found[product, speed]

    def table(self):
        """What happened, per product."""
        heads = f"{'pulled':>8} {'no quotes':>9} {'again':>7} {'fills':>5} {'booked':>7}"
        rows = [f"{'product':13} {'fault':23} {heads}"]
        for (product, _), evidence in sorted(self.found.items()):
            for outcome in evidence.outcomes.values():
                times = ["-" if value is None else f"{value:.2f} s" for value in outcome.shown()]
                rows.append(
                    f"{product:13} {outcome.fault:23} {times[0]:>8} {times[1]:>9} {times[2]:>7}"
                    f" {outcome.fills:>5} {times[3]:>7}"
                )
        return "\n".join(rows)


class Stage:
    """Runs the sessions of one speed side by side, each in a thread: first the judged times, alone."""

    def __init__(self, folder):
        self._folder = folder
        self._sessions = []
        self._bundle = Bundle({}, {})
        self._started = threading.Barrier(len(PRODUCTS))

    def run(self):
        """Runs them to their end."""
        try:
            for script, speed in ((_quick, 1), (_long, LONG_SPEED)):
                self._started = threading.Barrier(len(PRODUCTS))
                threads = [threading.Thread(target=self._session, args=(p, script, speed)) for p in PRODUCTS]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
        finally:
            for session in self._sessions:
                session.close()
        return self._bundle

    def _session(self, product, script, speed):
        folder = self._folder / f"{product}-{speed}"
        folder.mkdir()
        session = None
        try:
            session = Session(product, folder, speed, *(WIDE if script is _quick else NARROW))
            self._sessions.append(session)
            script(session, self._started)
            evidence = session.evidence()
            evidence.settle_lags()
            self._bundle.found[product, speed] = evidence
        except BaseException:  # noqa: BLE001  (told by the tests of this session)
            self._bundle.errors[product, speed] = traceback.format_exc()
            self._started.abort()
        finally:
            if session is not None:
                session.close()


def run_once(folder):
    """The bundle of a folder: run by the process that comes first, awaited and read by the others."""
    done = folder / "bundle.pickle"
    try:
        folder.mkdir()
    except FileExistsError:
        wait_for(done.exists, 380, 0.5)
        return pickle.loads(done.read_bytes())
    bundle = Stage(folder).run()
    draft = done.with_suffix(".new")
    draft.write_bytes(pickle.dumps(bundle))
    draft.rename(done)
    return bundle
