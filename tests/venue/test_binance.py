"""What is particular to Binance's sockets."""

import asyncio

from asmm_daemon.clock import Clock
from asmm_daemon.venue.dialects import connection
from asmm_daemon.venue.protocol import VenueSettings


def test_no_request_goes_over_the_socket_while_the_venue_asked_for_silence():
    """S12: the spot WebSocket API's ping has a weight; a WebSocket ping has none."""

    async def scenario():
        settings = VenueSettings("binance", ("BTCUSDT",), "k", "s", rest_url="http://127.0.0.1:9")
        exchange, requests, dialect = connection(settings, Clock())
        assert dialect.private_ping() == {"id": "asmm-ping", "method": "ping"}
        requests.limiter.silence(60.0, banned=False)
        assert dialect.private_ping() is None
        await exchange.close()

    asyncio.run(scenario())
