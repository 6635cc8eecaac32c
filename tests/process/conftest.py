"""Fixtures that start real processes and end them with the test."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from process_tools import Daemon, Exchange


@pytest.fixture
def exchange(tmp_path):
    """Starts exchanges; ends them with the test."""
    started = []

    def start(product="binanceusdm", *arguments):
        made = Exchange(product, tmp_path, *arguments)
        started.append(made)
        return made

    yield start
    for made in started:
        made.close()


@pytest.fixture
def daemon(tmp_path, monkeypatch):
    """Starts daemons; whatever is left is killed with the test. The test's locks are its own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    started = []

    def start(*settings, folder=tmp_path, **options):
        made = Daemon(folder, *settings, **options)
        started.append(made)
        return made

    yield start
    for made in started:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait()
