// Ten viewers look at the demo under load, for a long time.
//
//   node viewers.mjs DEMO MINUTES
//
// No viewer may see a torn tree, and the demo's memory may not grow. Linux only: it reads /proc.

import { readFileSync } from "node:fs";
import http from "node:http";

import { fetchWith, freePort, request, start, stop } from "./demo.mjs";

const VIEWERS = 10;
const CLIENTS = 8;
/** Of memory, from the second fifth of the time to the last. */
const MAX_GROWTH = 1.1;

const [demo, minutes] = process.argv.slice(2);
const server = await start(demo, await freePort());
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const residentKib = () => Number(readFileSync(`/proc/${server.child.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]);

let going = true;
let [requests, hangUps, looks, tasksSeen] = [0, 0, 0, 0];
const torn = [];

/** Every task that is listed as stuck is in the tree too, and the tree has as many as it says. */
function judge(report) {
  looks += 1;
  const ids = new Set();
  const walk = (scope) => {
    for (const task of scope.tasks) {
      if (ids.has(task.id)) torn.push(`task ${task.id} twice`);
      ids.add(task.id);
    }
    scope.scopes.forEach(walk);
  };
  report.scopes.forEach(walk);
  tasksSeen += ids.size;
  if (ids.size !== report.num_tasks) torn.push(`${report.num_tasks} tasks, but ${ids.size} in the tree`);
  for (const { id } of report.stuck) {
    if (!ids.has(id)) torn.push(`task ${id} has no scope`);
  }
}
/** A viewer of server-sent events, as the page is one. */
function watch() {
  const viewer = http.get(`${server.view}?events`, { agent: false }, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (part) => {
      text += part;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
        if (data) judge(JSON.parse(data));
      }
    });
    response.on("error", () => {});
  });
  viewer.on("error", () => {});
  return viewer;
}
/** A client that asks again and again; every fifth time it hangs up. */
async function load(number) {
  for (let turn = number; going; turn += 1) {
    requests += 1;
    if (turn % 5 === 0) {
      const { hangUp } = request(server.at, "/report");
      await sleep(20);
      hangUp();
      hangUps += 1;
    } else {
      await fetchWith(`${server.at}${turn % 7 === 0 ? "/running" : "/report"}`, {}).catch(() => {});
    }
  }
}

const viewers = Array.from({ length: VIEWERS }, watch);
const clients = Array.from({ length: CLIENTS }, (_, number) => load(number));
const samples = [];
const STEPS = 50;
for (let step = 0; step < STEPS; step += 1) {
  await sleep((minutes * 60_000) / STEPS);
  samples.push(residentKib());
}
going = false;
await Promise.all(clients);
viewers.forEach((viewer) => viewer.destroy());
http.globalAgent.destroy();
// The connection that asks is a task itself.
let left;
for (let tries = 0; tries < 50 && left !== 0; tries += 1) {
  await sleep(100);
  const { body } = await fetchWith(`${server.view}?json`, { connection: "close" });
  left = JSON.parse(body).num_tasks - 1;
}
await stop(server);

const highest = (part) => Math.max(...part);
const [first, last] = [highest(samples.slice(STEPS / 5, (2 * STEPS) / 5)), highest(samples.slice(-STEPS / 5))];
console.log(`${minutes} minutes, ${requests} requests, ${hangUps} of them given up; ${VIEWERS} viewers saw ${looks} trees with ${tasksSeen} tasks`);
console.log(`memory: ${first} KiB in the second fifth, ${last} KiB in the last, ${(last / first).toFixed(3)} of it`);
torn.slice(0, 5).forEach((what) => console.log(`  torn: ${what}`));
const flat = last <= first * MAX_GROWTH;
const seen = looks >= VIEWERS * minutes * 60 && tasksSeen > 0;
console.log(`viewers: ${torn.length} torn trees, memory ${flat ? "flat" : "GROWS"}, ${left} tasks left${seen ? "" : "; TOO LITTLE WAS SEEN"}`);
process.exitCode = torn.length === 0 && flat && left === 0 && seen ? 0 : 1;
