"""websockets: what follows an upgrade."""

import asyncio

import websockets
from common import HEADERS, URL, acted, began_async, expect, main

WS = URL.replace("http:", "ws:") + "/ws"


def connect():
    return websockets.connect(WS, additional_headers=HEADERS)


async def upgrade():
    async with connect() as socket:
        for number in range(100):
            await socket.send(str(number))
            expect(await socket.recv(), str(number))
        acted()


async def upgrade_cut():
    """The connection breaks without a closing handshake."""
    async with connect() as socket:
        await began_async()
        acted()
        socket.transport.abort()


async def slow_reader():
    """Echoes that nobody reads do not stop the others."""
    async with connect() as socket:
        for _ in range(20):
            await socket.send("x" * 65536)
        async with connect() as other:
            await other.send("echo")
            expect(await other.recv(), "echo")
        for _ in range(20):
            expect(len(await socket.recv()), 65536)
        acted()


async def sigterm():
    """The server says goodbye within its drain, and does not just vanish."""
    async with connect() as socket:
        await began_async()
        acted()
        try:
            await asyncio.wait_for(socket.recv(), 15)
        except websockets.ConnectionClosed as closed:
            expect(closed.rcvd.code if closed.rcvd else None, 1001)


main(globals())
