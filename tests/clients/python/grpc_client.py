"""grpcio. Messages are written by hand: one field, a string."""

import time

import grpc
from common import ID, URL, acted, began, expect, main

METADATA = (("x-id", ID),)


def encode(text):
    return bytes([10, len(text)]) + text.encode()


def decode(message):
    return message[2:].decode()


class Echo:
    def __init__(self):
        self.channel = grpc.insecure_channel(URL.removeprefix("http://"))
        coding = {"request_serializer": encode, "response_deserializer": decode}
        self.once = self.channel.unary_unary("/echo.Echo/Once", **coding)
        self.down = self.channel.unary_stream("/echo.Echo/Down", **coding)
        self.up = self.channel.stream_unary("/echo.Echo/Up", **coding)
        self.both = self.channel.stream_stream("/echo.Echo/Both", **coding)


def forever(*texts):
    yield from texts
    time.sleep(30)


def good():
    echo = Echo()
    for _ in range(20):
        expect(echo.once("hello", metadata=METADATA, timeout=15), "hello")
    expect(list(echo.down("hello", metadata=METADATA)), ["first", "hello"])
    expect(echo.up(iter(["a", "b"]), metadata=METADATA), "b")
    expect(list(echo.both(iter(["a", "b"]), metadata=METADATA)), ["a", "b"])


def code_of(call):
    try:
        list(call()) if callable(call) else call.result()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def cancel():
    call = Echo().once.future("hang", metadata=METADATA)
    began()
    acted()
    call.cancel()


def cancel_stream():
    call = Echo().down("hang", metadata=METADATA)
    expect(next(call), "first")
    acted()
    call.cancel()


def cancel_both():
    call = Echo().both(forever("hang"), metadata=METADATA)
    began()
    acted()
    call.cancel()


def deadline_client():
    acted()
    call = Echo().once.future("hang", metadata=METADATA, timeout=0.2)
    expect(code_of(call), grpc.StatusCode.DEADLINE_EXCEEDED)


def deadline_server():
    """A deadline that only the server knows: its status has to arrive."""
    metadata = METADATA + (("x-timeout-ms", "150"),)
    acted()
    expect(code_of(Echo().once.future("hang", metadata=metadata)), grpc.StatusCode.DEADLINE_EXCEEDED)


def deadline_stream():
    metadata = METADATA + (("x-timeout-ms", "150"),)
    acted()
    expect(code_of(lambda: Echo().down("hang", metadata=metadata)), grpc.StatusCode.DEADLINE_EXCEEDED)


def half_close():
    """In HTTP/2 the end of a request is no hang-up."""
    expect(Echo().up(iter(["a"]), metadata=METADATA), "a")


def reset():
    """The process closes its channel with a call in it."""
    echo = Echo()
    call = echo.once.future("hang", metadata=METADATA)
    began()
    acted()
    echo.channel.close()
    expect(code_of(call), grpc.StatusCode.CANCELLED)


def sigterm():
    call = Echo().once.future("work", metadata=METADATA)
    began()
    acted()
    expect(call.result(), "done")


main(globals())
