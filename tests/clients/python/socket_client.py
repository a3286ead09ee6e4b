"""Plain sockets: what a client can do to HTTP/1 that no library would."""

import socket
import struct
import time

from common import HOST, ID, PORT, acted, began, expect, main


def connect():
    return socket.create_connection((HOST, int(PORT)), timeout=15)


def request(line, *headers):
    return "\r\n".join([f"{line} HTTP/1.1", "host: test", f"x-id: {ID}", *headers, "", ""]).encode()


def read_all(stream):
    return b"".join(iter(lambda: stream.recv(65536), b""))


def status(answer):
    return int(answer.split(b" ", 2)[1])


def cancel():
    with connect() as stream:
        stream.sendall(request("GET /hang"))
        began()
        acted()


def reset():
    stream = connect()
    stream.sendall(request("GET /hang"))
    began()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    acted()
    stream.close()


def half_close():
    """HTTP/1 takes a client that half-closes for one that is gone."""
    with connect() as stream:
        stream.sendall(request("GET /hang"))
        began()
        acted()
        stream.shutdown(socket.SHUT_WR)
        expect(read_all(stream), b"")


def stall():
    """Half a body, and then nothing: the deadline ends the request."""
    with connect() as stream:
        stream.sendall(request("POST /upload", "content-length: 100", "x-timeout-ms: 150") + b"half")
        began()
        acted()
        expect(status(read_all(stream)), 504)


def stall_head():
    """Half a head costs its own connection only."""
    with connect() as stream:
        stream.sendall(b"GET /hello HTTP/1.1\r\nhost: te")
        with connect() as other:
            other.sendall(request("GET /hello", "connection: close"))
            expect(status(read_all(other)), 200)


def slow_reader():
    """A download of known length is finished, however late."""
    with connect() as stream:
        stream.sendall(request("GET /download", "x-timeout-ms: 150", "connection: close"))
        began()
        acted()
        time.sleep(0.6)
        head, body = read_all(stream).split(b"\r\n\r\n", 1)
        expect((status(head), len(body)), (200, 32 << 20))


def slow_reader_stream():
    """A stream is cut at the deadline, so that the client can see it."""
    with connect() as stream:
        stream.sendall(request("GET /stream", "x-timeout-ms: 150"))
        began()
        acted()
        time.sleep(0.6)
        expect(read_all(stream).endswith(b"0\r\n\r\n"), False)


def pipelining():
    with connect() as stream:
        close = request("GET /hello", "connection: close")
        stream.sendall(request("GET /hello") * 9 + close)
        expect(read_all(stream).count(b"\r\n\r\nhello"), 10)


def deadline_pipelining():
    """What waits behind a request hides a hang-up from the server; its deadline is not hidden."""
    with connect() as stream:
        stream.sendall(request("GET /hang", "x-timeout-ms: 150") + request("GET /hello"))
        began()
        acted()


def expect_100():
    with connect() as stream:
        stream.sendall(
            request("POST /upload", "content-length: 4", "expect: 100-continue", "connection: close")
        )
        expect(stream.recv(65536).startswith(b"HTTP/1.1 100 "), True)
        stream.sendall(b"body")
        expect(read_all(stream).endswith(b"\r\n\r\n4"), True)


def expect_100_cut():
    """The client leaves where it was asked to go on: the handler's body fails."""
    with connect() as stream:
        stream.sendall(request("POST /upload", "content-length: 4", "expect: 100-continue"))
        expect(stream.recv(65536).startswith(b"HTTP/1.1 100 "), True)
        acted()


def head():
    """The tasks of the request are joined before the answer."""
    with connect() as stream:
        stream.sendall(request("HEAD /scoped", "connection: close"))
        answer = read_all(stream)
        expect((status(answer), answer.endswith(b"\r\n\r\n")), (200, True))


def garbage():
    """What is no HTTP is refused, and nobody else notices."""
    with connect() as stream:
        stream.sendall(b"\x16\x03\x01 not http\r\n\r\n")
        expect(read_all(stream)[:12] in (b"", b"HTTP/1.1 400"), True)


main(globals())
