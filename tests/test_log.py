import errno
import io
import logging

import orjson
import pytest

from asmm_daemon import log

CANARY = "s3cr3t-canary-value"


@pytest.fixture(autouse=True)
def _hidden():
    log.hide([CANARY])
    yield
    log._secrets.clear()


def test_a_secret_never_reaches_a_line():
    """A canary in the message, a field, a nested value, an exception or a foreign logger is removed."""
    stream = io.StringIO()
    log.configure(style="json", stream=stream)
    logger = log.get("test")
    logger.info(f"key {CANARY}", url=f"https://x?k={CANARY}", nested={"a": [CANARY]})
    try:
        raise ValueError(CANARY)
    except ValueError:
        logger.exception("failed")
    logging.getLogger("foreign").warning("signed with %s", CANARY)
    text = stream.getvalue()
    assert CANARY not in text
    assert text.count("[redacted]") >= 5
    assert orjson.loads(text.splitlines()[0])["part"] == "test"


def test_without_hiding_the_secret_would_be_written():
    """The same line with the safeguard off carries the secret: the test above can fail."""
    log._secrets.clear()
    stream = io.StringIO()
    log.configure(style="json", stream=stream)
    log.get("test").info("key", value=CANARY)
    assert CANARY in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_line_that_cannot_be_written_is_lost(style):
    """A closed pipe or a full disk behind the log is no exception where something is logged."""

    class Full(io.StringIO):
        """Refuses everything, as a full disk does."""

        def write(self, _text=""):
            raise OSError(errno.ENOSPC, "No space left on device")

        flush = write

    log.configure(style=style, stream=Full())
    log.get("test").info("nobody reads this")
