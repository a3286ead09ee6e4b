// node:http2.
"use strict";
const http2 = require("node:http2");
const { url, headers, deadline, assert, acted, began, main } = require("./common.js");

const session = http2.connect(url);

function send(method, path, headers, options) {
  const stream = session.request({ ":method": method, ":path": path, ...headers }, options);
  const status = new Promise((resolve, reject) => {
    stream.on("response", (head) => resolve(head[":status"]));
    stream.on("error", reject);
  });
  status.catch(() => {});
  return { stream, status };
}

async function text(stream) {
  let whole = "";
  for await (const part of stream) whole += part;
  return whole;
}

main({
  async good() {
    const ask20 = Array.from({ length: 20 }, async () => {
      const { stream, status } = send("GET", "/hello", headers);
      assert.equal(await status, 200);
      assert.equal(await text(stream), "hello");
    });
    await Promise.all(ask20);
  },
  // RST_STREAM with CANCEL, and the connection goes on.
  async reset() {
    const { stream } = send("GET", "/hang", headers);
    await began();
    acted();
    stream.close(http2.constants.NGHTTP2_CANCEL);
    assert.equal(await send("GET", "/hello", {}).status, 200);
  },
  // The connection breaks with a request on it.
  async cancel() {
    send("GET", "/hang", headers);
    await began();
    acted();
    session.destroy();
  },
  async cancel_body() {
    const { stream, status } = send("GET", "/stream", headers);
    await status;
    await new Promise((resolve) => stream.once("data", resolve));
    acted();
    stream.close(http2.constants.NGHTTP2_CANCEL);
    assert.equal(await send("GET", "/hello", {}).status, 200);
  },
  async deadline() {
    acted();
    assert.equal(await send("GET", "/hang", deadline).status, 504);
  },
  async deadline_body() {
    acted();
    const { stream } = send("GET", "/stream", deadline);
    await assert.rejects(text(stream));
  },
  async head() {
    assert.equal(await send("HEAD", "/scoped", headers).status, 200);
  },
  // An upload that stops half-way.
  async stall() {
    const { stream, status } = send("POST", "/upload", deadline, { endStream: false });
    stream.write("half");
    acted();
    assert.equal(await status, 504);
  },
  // A client without a window: the download waits, and the next request does not.
  async slow_reader() {
    const { stream, status } = send("GET", "/download", deadline);
    acted();
    await status;
    stream.pause();
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal(await send("GET", "/hello", {}).status, 200);
    assert.equal((await text(stream)).length, 32 << 20);
  },
  // The server stops: it says GOAWAY, and what is on its way is finished.
  async goaway() {
    const gone = new Promise((resolve) => session.on("goaway", resolve));
    const { stream } = send("GET", "/work", headers);
    await began();
    acted();
    assert.equal(await text(stream), "done");
    assert.equal(await gone, http2.constants.NGHTTP2_NO_ERROR);
  },
});
