"""Connects, asks, reads the answer and closes, with the defaults of the library `websockets`, again and again.

Usage: close.py ws://HOST:PORT REQUEST TIMES   Prints the milliseconds of each close, one a line.
"""

import asyncio
import json
import sys
import time

import websockets


async def main(address, request, times):
    for _ in range(int(times)):
        socket = await websockets.connect(address)
        await socket.send(request)
        answer = json.loads(await socket.recv())
        assert answer["status"] == "success", answer
        started = time.perf_counter()
        await socket.close()
        print(f"{(time.perf_counter() - started) * 1000:.3f}")
        assert socket.close_code == 1000, socket.close_code


asyncio.run(main(*sys.argv[1:]))
