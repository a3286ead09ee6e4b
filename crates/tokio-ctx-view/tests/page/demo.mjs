// Starts the demo and asks it for things.

import { spawn } from "node:child_process";
import http from "node:http";
import net from "node:net";
import { createInterface } from "node:readline";

/** Starts the demo; resolves once it has said where it and its view are. */
export function start(demo, viewPort) {
  const child = spawn(demo, ["--serve", "--view", `127.0.0.1:${viewPort}`], { stdio: ["ignore", "pipe", "inherit"] });
  const said = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the demo ended with ${code}`)));
    let [at, view] = [];
    said.on("line", (line) => {
      view ||= line.match(/http:\/\/[\d.:]+\/debug\/ctx/)?.[0];
      at ||= line.match(/(http:\/\/[\d.:]+)\/report$/)?.[1];
      if (at && view) resolve({ child, at, view });
    });
  });
}
export function stop({ child }) {
  return new Promise((resolve) => {
    child.removeAllListeners("exit");
    child.once("exit", resolve);
    child.kill("SIGTERM");
  });
}
/** A request of the demo; `hangUp()` closes its connection. */
export function request(at, path) {
  const url = new URL(at);
  const socket = net.connect(url.port, url.hostname);
  socket.on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nhost: ${url.host}\r\nx-trace-id: trace-of-the-check\r\n\r\n`);
  return { hangUp: () => socket.destroy() };
}
export function fetchWith(url, headers) {
  return new Promise((resolve, reject) => {
    http.get(url, { headers }, (response) => {
      let body = "";
      response.on("data", (part) => { body += part; });
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    }).on("error", reject);
  });
}
export function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
