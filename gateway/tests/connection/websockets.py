"""A client as users have it: `websockets` with its defaults, against the echo of the connection tests.

Usage: websockets.py ws://HOST:PORT   Prints the milliseconds that closing took, with work in flight.
"""

import asyncio
import sys
import time

import websockets


async def main(address):
    async with websockets.connect(address + "/a/path") as socket:
        # Several before the first answer is read; the slowest first.
        asked = ["%d %d" % (100 - 20 * i, i) for i in range(5)]
        for request in asked:
            await socket.send(request)
        for request in asked:
            answer = await socket.recv()
            assert answer == request, (answer, request)
        await socket.send(b"0 binary")
        assert await socket.recv() == "0 binary"
        for _ in range(6):
            await socket.send("60000 long")
        # Not answered before the work is done, were the socket not read meanwhile.
        await asyncio.wait_for(await socket.ping(), 1)
        started = time.monotonic()
    print("%.1f" % ((time.monotonic() - started) * 1000))

    # Over the cap: told with 1009, not with a reset. (Leaving an `async with` here trips 14.2 over itself.)
    socket = await websockets.connect(address)
    try:
        await socket.send("x" * 20_000_000)
        await socket.recv()
        raise AssertionError("answered")
    except websockets.exceptions.ConnectionClosed:
        assert socket.close_code == 1009, socket.close_code


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 30))
