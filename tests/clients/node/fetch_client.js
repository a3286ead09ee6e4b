// fetch, as browsers have it.
"use strict";
const { url, headers, deadline, assert, acted, began, main } = require("./common.js");

main({
  async good() {
    const ask20 = Array.from({ length: 20 }, async () => {
      const response = await fetch(`${url}/hello`, { headers });
      assert.deepEqual([response.status, await response.text()], [200, "hello"]);
    });
    await Promise.all(ask20);
  },
  async cancel() {
    const abort = new AbortController();
    const call = fetch(`${url}/hang`, { headers, signal: abort.signal });
    call.catch(() => {});
    await began();
    acted();
    abort.abort();
    await assert.rejects(call);
  },
  async cancel_body() {
    const response = await fetch(`${url}/stream`, { headers });
    const reader = response.body.getReader();
    await reader.read();
    acted();
    await reader.cancel();
  },
  async deadline() {
    acted();
    assert.equal((await fetch(`${url}/hang`, { headers: deadline })).status, 504);
  },
  async deadline_body() {
    acted();
    const response = await fetch(`${url}/stream`, { headers: deadline });
    await assert.rejects(response.text());
  },
  async head() {
    const response = await fetch(`${url}/scoped`, { method: "HEAD", headers });
    assert.equal(response.status, 200);
  },
  async sigterm() {
    const call = fetch(`${url}/work`, { headers });
    await began();
    acted();
    assert.equal(await (await call).text(), "done");
  },
});
