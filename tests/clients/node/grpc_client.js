// @grpc/grpc-js. Messages are written by hand: one field, a string.
"use strict";
const grpc = require("@grpc/grpc-js");
const { url, headers, assert, acted, began, main } = require("./common.js");

const encode = (text) => Buffer.concat([Buffer.from([10, text.length]), Buffer.from(text)]);
const decode = (message) => message.subarray(2).toString();

const client = new grpc.Client(url.slice("http://".length), grpc.credentials.createInsecure());

function metadata(more = {}) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries({ ...headers, ...more })) metadata.set(name, value);
  return metadata;
}

/** The call, and the promise of its answer. */
function once(text, metadata, options = {}) {
  let call;
  const answer = new Promise((resolve, reject) => {
    call = client.makeUnaryRequest("/echo.Echo/Once", encode, decode, text, metadata, options, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
  answer.catch(() => {});
  return { call, answer };
}

/** The stream, and the promise of the code that ends it. */
function down(text, metadata) {
  const stream = client.makeServerStreamRequest("/echo.Echo/Down", encode, decode, text, metadata);
  const code = new Promise((resolve) => stream.on("status", (status) => resolve(status.code)));
  stream.on("error", () => {});
  return { stream, code };
}

const codeOf = (answer) => answer.then(() => grpc.status.OK, (error) => error.code);

main({
  async good() {
    for (let number = 0; number < 20; number++) {
      assert.equal(await once("hello", metadata()).answer, "hello");
    }
    const { stream, code } = down("hello", metadata());
    const texts = [];
    stream.on("data", (text) => texts.push(text));
    assert.equal(await code, grpc.status.OK);
    assert.deepEqual(texts, ["first", "hello"]);
  },
  async cancel() {
    const { call, answer } = once("hang", metadata());
    await began();
    acted();
    call.cancel();
    assert.equal(await codeOf(answer), grpc.status.CANCELLED);
  },
  async cancel_stream() {
    const { stream, code } = down("hang", metadata());
    await new Promise((resolve) => stream.once("data", resolve));
    acted();
    stream.cancel();
    assert.equal(await code, grpc.status.CANCELLED);
  },
  async deadline_client() {
    acted();
    const { answer } = once("hang", metadata(), { deadline: Date.now() + 200 });
    assert.equal(await codeOf(answer), grpc.status.DEADLINE_EXCEEDED);
  },
  async deadline_server() {
    acted();
    const { answer } = once("hang", metadata({ "x-timeout-ms": "150" }));
    assert.equal(await codeOf(answer), grpc.status.DEADLINE_EXCEEDED);
  },
  async deadline_stream() {
    acted();
    const { stream, code } = down("hang", metadata({ "x-timeout-ms": "150" }));
    stream.on("data", () => {});
    assert.equal(await code, grpc.status.DEADLINE_EXCEEDED);
  },
  async sigterm() {
    const { answer } = once("work", metadata());
    await began();
    acted();
    assert.equal(await answer, "done");
  },
});
