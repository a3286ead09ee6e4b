"""httpx over HTTP/1, or over HTTP/2 if the way ends in `-h2`."""

import asyncio

import common
import httpx
from common import DEADLINE, HEADERS, URL, acted, began_async, expect, fails, main

H2 = common.WAY.endswith("-h2")
common.WAY = common.WAY.removesuffix("-h2")


def client():
    return httpx.AsyncClient(http1=not H2, http2=H2, timeout=15)


async def good():
    async with client() as http:
        asks = [http.get(f"{URL}/hello", headers=HEADERS) for _ in range(20)]
        for response in await asyncio.gather(*asks):
            expect((response.status_code, response.text), (200, "hello"))


async def cancel():
    async with client() as http:
        call = asyncio.create_task(http.get(f"{URL}/hang", headers=HEADERS))
        await began_async()
        acted()
        call.cancel()
        await asyncio.wait([call])


async def cancel_body():
    async with client() as http:
        async with http.stream("GET", f"{URL}/stream", headers=HEADERS) as response:
            async for _ in response.aiter_bytes():
                break
            acted()


async def deadline():
    async with client() as http:
        acted()
        response = await http.get(f"{URL}/hang", headers=DEADLINE)
        expect(response.status_code, 504)


async def deadline_body():
    async with client() as http:
        acted()
        with fails("the stream"):
            await http.get(f"{URL}/stream", headers=DEADLINE)


async def head():
    async with client() as http:
        response = await http.head(f"{URL}/scoped", headers=HEADERS)
        expect(response.status_code, 200)


async def sigterm():
    async with client() as http:
        call = asyncio.create_task(http.get(f"{URL}/work", headers=HEADERS))
        await began_async()
        acted()
        response = await call
        expect((response.status_code, response.text), (200, "done"))


main(globals())
