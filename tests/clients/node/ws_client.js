// ws: what follows an upgrade.
"use strict";
const WebSocket = require("ws");
const { url, headers, assert, acted, began, main } = require("./common.js");

async function connect() {
  const socket = new WebSocket(url.replace("http:", "ws:") + "/ws", { headers });
  await new Promise((resolve, reject) => {
    socket.on("open", resolve);
    socket.on("error", reject);
  });
  return socket;
}

const once = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));

main({
  async upgrade() {
    const socket = await connect();
    for (let number = 0; number < 100; number++) {
      socket.send(`${number}`);
      assert.equal((await once(socket, "message"))[0].toString(), `${number}`);
    }
    acted();
    socket.close();
    await once(socket, "close");
  },
  async upgrade_cut() {
    const socket = await connect();
    await began();
    acted();
    socket.terminate();
  },
  async sigterm() {
    const socket = await connect();
    await began();
    acted();
    assert.equal((await once(socket, "close"))[0], 1001);
  },
});
