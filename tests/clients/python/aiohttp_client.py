"""aiohttp, HTTP/1."""

import asyncio

import aiohttp

from common import DEADLINE, HEADERS, URL, acted, began_async, expect, fails, main


async def good():
    async with aiohttp.ClientSession() as session:
        for _ in range(20):
            async with session.get(f"{URL}/hello", headers=HEADERS) as response:
                expect((response.status, await response.text()), (200, "hello"))


async def cancel():
    async with aiohttp.ClientSession() as session:
        call = asyncio.create_task(session.get(f"{URL}/hang", headers=HEADERS))
        await began_async()
        acted()
        call.cancel()
        await asyncio.wait([call])


async def cancel_body():
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{URL}/stream", headers=HEADERS) as response:
            await response.content.readany()
            acted()
            response.close()


async def deadline():
    async with aiohttp.ClientSession() as session:
        acted()
        async with session.get(f"{URL}/hang", headers=DEADLINE) as response:
            expect(response.status, 504)


async def deadline_body():
    async with aiohttp.ClientSession() as session:
        acted()
        async with session.get(f"{URL}/stream", headers=DEADLINE) as response:
            with fails("the stream"):
                await response.read()


async def head():
    async with aiohttp.ClientSession() as session:
        async with session.head(f"{URL}/scoped", headers=HEADERS) as response:
            expect(response.status, 200)


async def expect_100():
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{URL}/upload", headers=HEADERS, data=b"body", expect100=True) as response:
            expect((response.status, await response.text()), (200, "4"))


async def stall():
    """An upload that never ends."""

    async def parts():
        yield b"half"
        await asyncio.sleep(30)

    async with aiohttp.ClientSession() as session:
        acted()
        async with session.post(f"{URL}/upload", headers=DEADLINE, data=parts()) as response:
            expect(response.status, 504)


async def upgrade():
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{URL}/ws", headers=HEADERS) as socket:
            await socket.send_str("echo")
            expect((await socket.receive()).data, "echo")


async def sigterm():
    """Work in flight is finished while the server stops."""
    async with aiohttp.ClientSession() as session:
        call = asyncio.create_task(session.get(f"{URL}/work", headers=HEADERS))
        await began_async()
        acted()
        async with await call as response:
            expect((response.status, await response.text()), (200, "done"))


main(globals())
