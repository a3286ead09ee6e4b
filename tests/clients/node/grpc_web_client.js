// grpc-web as browsers have it, in both of its codings: `-text` is base64.
"use strict";
const http = require("node:http");
const { url, headers, assert, acted, began, main } = require("./common.js");

/** As much of a browser's XMLHttpRequest as grpc-web asks for. */
class XMLHttpRequest {
  static DONE = 4;
  readyState = 0;
  status = 0;
  responseText = "";
  sent = {};
  listeners = {};
  open(method, address) {
    this.request = http.request(address, { method });
    this.request.on("response", (response) => {
      this.status = response.statusCode;
      this.head = response.headers;
      this.move(2);
      this.body = [];
      response.on("data", (part) => {
        this.body.push(part);
        this.responseText += part.toString("latin1");
        this.move(3);
      });
      response.on("end", () => this.move(4));
      response.on("error", () => this.fail());
    });
    this.request.on("error", () => this.fail());
    this.readyState = 1;
  }
  fail() {
    this.status = 0;
    this.move(4);
  }
  move(state) {
    if (this.readyState === 4) return;
    this.readyState = state;
    if (this.onreadystatechange) this.onreadystatechange();
  }
  // Of an array buffer browsers show nothing before it is whole.
  get response() {
    if (this.readyState < 4) return null;
    const bytes = Buffer.concat(this.body ?? []);
    return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  }
  setRequestHeader(name, value) {
    this.request.setHeader(name, value);
  }
  getResponseHeader(name) {
    return this.head?.[name.toLowerCase()] ?? null;
  }
  getAllResponseHeaders() {
    return Object.entries(this.head ?? {})
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
  }
  send(body) {
    this.request.end(body && Buffer.from(body));
  }
  abort() {
    this.request.destroy();
  }
}
globalThis.XMLHttpRequest = XMLHttpRequest;
const { GrpcWebClientBase, MethodDescriptor, MethodType, StatusCode } = require("grpc-web");

const encode = (text) => Uint8Array.from([10, text.length, ...Buffer.from(text)]);
const decode = (message) => Buffer.from(message).subarray(2).toString();
const once = new MethodDescriptor("/echo.Echo/Once", MethodType.UNARY, String, String, encode, decode);
const down = new MethodDescriptor("/echo.Echo/Down", MethodType.SERVER_STREAMING, String, String, encode, decode);

const ways = (format) => {
  const client = new GrpcWebClientBase({ format });
  const ask = (text, metadata) => client.unaryCall(`${url}/echo.Echo/Once`, text, metadata, once);
  // In the binary coding grpc-web has no streams: the whole answer comes at once.
  const stream = (text, metadata) => {
    const stream = client.serverStreaming(`${url}/echo.Echo/Down`, text, metadata, down);
    const texts = [];
    stream.on("data", (text) => texts.push(text));
    const code = new Promise((resolve) => {
      stream.on("error", (error) => resolve(error.code));
      stream.on("end", () => resolve(StatusCode.OK));
    });
    return { stream, texts, code };
  };
  const late = { ...headers, "x-timeout-ms": "150" };
  return {
    async good() {
      for (let number = 0; number < 20; number++) {
        assert.equal(await ask("hello", headers), "hello");
      }
      const { texts, code } = stream("hello", headers);
      assert.equal(await code, StatusCode.OK);
      assert.deepEqual(texts, ["first", "hello"]);
    },
    async deadline() {
      acted();
      const code = await ask("hang", late).then(() => StatusCode.OK, (error) => error.code);
      assert.equal(code, StatusCode.DEADLINE_EXCEEDED);
    },
    async deadline_stream() {
      acted();
      assert.equal(await stream("hang", late).code, StatusCode.DEADLINE_EXCEEDED);
    },
    async cancel() {
      const call = stream("hang", headers);
      await began();
      acted();
      call.stream.cancel();
    },
  };
};

const text = Object.entries(ways("text")).map(([name, way]) => [`${name}_text`, way]);
main({ ...ways("binary"), ...Object.fromEntries(text) });
