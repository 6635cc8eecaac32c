"""The life of one order as a table. What is not listed raises IllegalTransition.

Inputs that come from the venue are listed for every state, since they may be late, doubled or out of
order: a final state stays final, and a contradiction leads to an UNKNOWN state, which counts as open
and is asked about. Our own requests are listed only where they make sense.
"""

from enum import StrEnum

from asmm_daemon.errors import IllegalTransition


class OrderState(StrEnum):
    """Where an order stands, as far as can be proven."""

    PENDING_NEW = "pending_new"
    LIVE = "live"
    PENDING_AMEND = "pending_amend"
    PENDING_CANCEL = "pending_cancel"
    UNKNOWN_NEW = "unknown_new"
    """A create request without a told outcome."""
    UNKNOWN_AMEND = "unknown_amend"
    UNKNOWN_CANCEL = "unknown_cancel"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    LOST = "lost"
    """Proven never to have reached the venue."""

    @property
    def final(self) -> bool:
        """Whether nothing of it can rest any more."""
        return self in FINAL

    @property
    def unknown(self) -> bool:
        """Whether a request's outcome is open."""
        return self in UNKNOWN


class Input(StrEnum):
    """What can happen to an order."""

    AMEND_SENT = "amend_sent"
    CANCEL_SENT = "cancel_sent"
    ACK = "ack"
    CREATE_REJECTED = "create_rejected"
    AMEND_ACK = "amend_ack"
    AMEND_REJECTED = "amend_rejected"
    CANCEL_ACK = "cancel_ack"
    CANCEL_REJECTED = "cancel_rejected"
    CANCEL_VOID = "cancel_void"
    """A cancel surely had no effect: it was not sent, or refused unread."""
    LOST_TRACK = "lost_track"
    """A pending request timed out or came back undecidable."""
    SEEN_OPEN = "seen_open"
    """A stream or snapshot showed it open; it may be older than our last request."""
    CONFIRMED_OPEN = "confirmed_open"
    """A query asked after our last request showed it open."""
    SEEN_FILLED = "seen_filled"
    SEEN_CANCELLED = "seen_cancelled"
    NOT_FOUND = "not_found"
    """A query long enough after the request found neither order nor trades."""
    RESURFACED = "resurfaced"
    """A fresh snapshot lists it as open although we held it to be final."""


S, IN = OrderState, Input
FINAL = frozenset({S.FILLED, S.CANCELLED, S.REJECTED, S.LOST})
UNKNOWN = frozenset({S.UNKNOWN_NEW, S.UNKNOWN_AMEND, S.UNKNOWN_CANCEL})

N, L, A, C = S.PENDING_NEW, S.LIVE, S.PENDING_AMEND, S.PENDING_CANCEL
UN, UA, UC = S.UNKNOWN_NEW, S.UNKNOWN_AMEND, S.UNKNOWN_CANCEL

_REQUESTS = {
    (L, IN.AMEND_SENT): A,
    (L, IN.CANCEL_SENT): C,
    (A, IN.CANCEL_SENT): C,
    (C, IN.CANCEL_SENT): C,
    (UN, IN.CANCEL_SENT): UN,
    (UA, IN.CANCEL_SENT): C,
    (UC, IN.CANCEL_SENT): C,
}
_OPEN = (N, L, A, C, UN, UA, UC)
_FROM_VENUE = {
    #                  N   L   A   C   UN  UA  UC
    IN.ACK:             (L,  L,  A,  C,  L,  UA, UC),
    IN.CREATE_REJECTED: (S.REJECTED, UN, UN, UN, S.REJECTED, UN, UN),
    IN.AMEND_ACK:       (L,  L,  L,  C,  L,  L,  UC),
    IN.AMEND_REJECTED:  (N,  L,  L,  C,  UN, UA, UC),
    IN.CANCEL_ACK:      (N,  L,  A,  C,  UN, UA, C),
    IN.CANCEL_REJECTED: (N,  L,  A,  UC, UN, UA, UC),
    IN.CANCEL_VOID:     (N,  L,  A,  L,  UN, UA, UC),
    IN.LOST_TRACK:      (UN, L,  UA, UC, UN, UA, UC),
    IN.SEEN_OPEN:       (L,  L,  A,  C,  L,  UA, UC),
    IN.CONFIRMED_OPEN:  (L,  L,  L,  L,  L,  L,  L),
    IN.SEEN_FILLED:     (S.FILLED,) * 7,
    IN.SEEN_CANCELLED:  (S.CANCELLED,) * 7,
    IN.NOT_FOUND:       (S.LOST, S.CANCELLED, S.CANCELLED, S.CANCELLED, S.LOST, S.CANCELLED, S.CANCELLED),
    IN.RESURFACED:      _OPEN,
}  # fmt: skip

TABLE: dict[tuple[OrderState, Input], OrderState] = {
    **_REQUESTS,
    **{(s, what): then for what, row in _FROM_VENUE.items() for s, then in zip(_OPEN, row, strict=True)},
    **{(s, what): s for what in _FROM_VENUE for s in FINAL},
    **{(s, IN.RESURFACED): L for s in FINAL},
    (S.LOST, IN.ACK): L,
    (S.LOST, IN.SEEN_OPEN): L,
    (S.LOST, IN.CONFIRMED_OPEN): L,
    (S.LOST, IN.SEEN_FILLED): S.FILLED,
    (S.LOST, IN.SEEN_CANCELLED): S.CANCELLED,
}


def after(state: OrderState, what: Input) -> OrderState:
    """The state that an input leads to. Raises IllegalTransition when the table does not list it."""
    try:
        return TABLE[state, what]
    except KeyError:
        raise IllegalTransition(f"an order that is {state} cannot take {what}") from None
