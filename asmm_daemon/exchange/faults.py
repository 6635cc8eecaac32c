"""Faults that a file or the admin endpoint orders, as `interfaces.md` words them."""


class Faults:
    """All faults of a session; says, per response, message, clock reading and connection, what to do."""
