// node:http, HTTP/1.
"use strict";
const http = require("node:http");
const { url, headers, deadline, assert, acted, began, main } = require("./common.js");

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

/** The request, and the promise of its response. */
function send(method, path, headers) {
  const request = http.request(url + path, { method, headers, agent });
  const response = new Promise((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
  });
  return { request, response };
}

async function text(response) {
  let whole = "";
  for await (const part of response) whole += part;
  return whole;
}

async function ask(method, path, headers) {
  const { request, response } = send(method, path, headers);
  request.end();
  return response;
}

main({
  async good() {
    const ask20 = Array.from({ length: 20 }, async () => {
      const response = await ask("GET", "/hello", headers);
      assert.deepEqual([response.statusCode, await text(response)], [200, "hello"]);
    });
    await Promise.all(ask20);
  },
  async cancel() {
    const { request, response } = send("GET", "/hang", headers);
    request.end();
    await began();
    acted();
    request.destroy();
    await assert.rejects(response);
  },
  async cancel_body() {
    const response = await ask("GET", "/stream", headers);
    await new Promise((resolve) => response.once("data", resolve));
    acted();
    response.destroy();
  },
  async deadline() {
    acted();
    assert.equal((await ask("GET", "/hang", deadline)).statusCode, 504);
  },
  async deadline_body() {
    acted();
    await assert.rejects(text(await ask("GET", "/stream", deadline)));
  },
  async head() {
    assert.equal((await ask("HEAD", "/scoped", headers)).statusCode, 200);
  },
  async expect_100() {
    const { request, response } = send("POST", "/upload", { ...headers, expect: "100-continue" });
    request.flushHeaders();
    await new Promise((resolve) => request.on("continue", resolve));
    request.end("body");
    assert.equal(await text(await response), "4");
  },
  async stall() {
    const { request, response } = send("POST", "/upload", deadline);
    request.write("half");
    acted();
    assert.equal((await response).statusCode, 504);
  },
  async sigterm() {
    const response = ask("GET", "/work", headers);
    await began();
    acted();
    assert.equal(await text(await response), "done");
  },
});
