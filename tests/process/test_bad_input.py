import gzip
import os
import resource
import socket

from process_tools import at, with_reader


def _refused(maker, code, *words):
    """The daemon ended with `code` and one clear message, without a traceback."""
    assert maker.process.wait(60) == code, maker.text()
    text = maker.text()
    assert "Traceback" not in text, text
    for word in words:
        assert word in text, text


def test_unknown_key(daemon):
    """A misspelt setting is named, with what it may have meant."""
    _refused(daemon("quoting.gama=1"), 2, "quoting.gama = 1", "did you mean gamma?")


def test_missing_key_in_live_mode(daemon):
    """Live mode without a key says which variable to set."""
    maker = daemon("mode=live", env={"ASMM_API_KEY": "", "ASMM_API_SECRET": ""})
    _refused(maker, 2, "ASMM_API_KEY", "ASMM_API_SECRET")


def test_unreachable_venue(daemon, unused_port):
    """A venue that does not answer is named with its address."""
    maker = daemon(
        f"venue.rest_url=http://127.0.0.1:{unused_port}", f"venue.ws_url=ws://127.0.0.1:{unused_port}"
    )
    _refused(maker, 5, f"127.0.0.1:{unused_port}")


def test_unknown_symbol(exchange, daemon):
    """A symbol that the venue does not list is named."""
    venue = exchange()
    _refused(daemon(*at(venue), "market.0.symbol=NOSUCHUSDT"), 5, "NOSUCHUSDT")


def test_order_under_the_minimum(daemon):
    """An order size that the venue can never accept is refused with the minimum."""
    _refused(daemon("quoting.order_size=0.00000001"), 2, "quoting.order_size", "BTCUSDT")


def test_order_value_under_the_minimum_notional(daemon):
    """An order whose value is under the minimum notional at today's price is refused."""
    _refused(daemon("quoting.order_size=1", "quoting.size_in_quote=true"), 2, "quoting.order_size", "USDT")


def test_corrupt_recording(daemon, tmp_path):
    """A recording that is cut off is named with the place."""
    path = tmp_path / "nexousdt_20240101.dat.gz"
    whole = gzip.compress(b'1721749182850494 {"lastUpdateId": 1, "bids": [["1.2', 9)
    path.write_bytes(whole[:-6])
    _refused(daemon(f"demo.feed=replay:{path}", "market.0.symbol=NEXOUSDT"), 3, path.name)


def test_port_in_use(daemon, unused_port):
    """A port that another program holds is named with its setting."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", unused_port))
        holder.listen()
        _refused(daemon(f"service.http_port={unused_port}"), 6, f"service.http_port = {unused_port}")


def test_model_of_another_feature_list(daemon, tmp_path):
    """A model that is missing is refused at the start by its name."""
    _refused(daemon(f"policy.model_file={tmp_path / 'none.json'}"), 4, "none.json")


def test_read_only_state_folder(daemon, tmp_path):
    """A state folder that cannot be written is named."""
    _refused(daemon("state_dir=/proc/asmm"), 6, "/proc/asmm")


def test_a_summary_without_a_folder(daemon, tmp_path):
    """A summary that has nowhere to go is refused before the session, not lost after it."""
    maker = daemon(arguments=["--summary", str(tmp_path / "none" / "summary.json")])
    _refused(maker, 6, "--summary", "no such folder")


def test_an_empty_duration(daemon):
    """An empty --for is a mistake (a variable that was not set), not a session without an end."""
    _refused(daemon(arguments=["--for", ""]), 2, "--for", "90s")


def test_a_full_disk(exchange, daemon):
    """Neither journal nor summary can be written: all cancelled, a message each, no traceback."""
    venue = exchange()
    maker, reader = with_reader(daemon, os.pipe(), *at(venue))
    maker.wait_until_quoting()
    resource.prlimit(maker.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    assert maker.process.wait(60) == 6
    with os.fdopen(reader) as told:
        text = told.read()
    assert "journal.sqlite cannot be written" in text
    assert "summary.json cannot be written" in text
    assert "Traceback" not in text
    assert venue.open_orders() == {}
