"""What a tape shows once it has been read."""

import pytest

from asmm_daemon.core.book import apply, new_book
from asmm_daemon.tape.columns import validate


@pytest.fixture
def replayed():
    """Checks rows against the format's rules and gives the book that they leave."""

    def book_of(rows):
        book = new_book(1 << 17)
        validate(rows, "tape")
        for row in rows:
            apply(book, row["kind"], row["side"], row["price"], row["qty"])
        return book

    return book_of
