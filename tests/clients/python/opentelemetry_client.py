"""OpenTelemetry for Python on both sides of the service: all three are in one trace."""

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from common import HEADERS, URL, expect, main
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

trace.set_tracer_provider(TracerProvider())
tracer = trace.get_tracer("clients")


class Far(BaseHTTPRequestHandler):
    """The service that ours calls on."""

    seen = []

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        ctx = propagate.extract({name.lower(): value for name, value in self.headers.items()})
        Far.seen.append(trace.get_current_span(ctx).get_span_context())
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def one_trace():
    far = HTTPServer(("127.0.0.1", 0), Far)
    threading.Thread(target=far.serve_forever, daemon=True).start()
    caller = SpanContext(
        trace_id=0x4BF92F3577B34DA6A3CE929D0E0E4736,
        span_id=0x00F067AA0BA902B7,
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState([("congo", "t61rcWkgMzE"), ("rojo", "1")]),
    )
    parent = trace.set_span_in_context(trace.NonRecordingSpan(caller))
    with tracer.start_as_current_span("call", context=parent) as span:
        headers = {**HEADERS, "content-type": "application/json"}
        propagate.inject(headers)
        to = {"url": f"http://127.0.0.1:{far.server_port}/", "arguments": []}
        body = json.dumps([to, to]).encode()
        request = urllib.request.Request(f"{URL}/trace", body, headers, method="POST")
        expect(urllib.request.urlopen(request, timeout=15).status, 200)
        own = span.get_span_context()
    expect(len(Far.seen), 2)
    for seen in Far.seen:
        expect(seen.trace_id, own.trace_id)
        expect(seen.trace_flags, own.trace_flags)
        expect(list(seen.trace_state.items()), list(own.trace_state.items()))
    expect(len({own.span_id, *(seen.span_id for seen in Far.seen)}), 3)


main(globals())
