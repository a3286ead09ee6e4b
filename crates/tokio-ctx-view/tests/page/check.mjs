// Opens the view of the running demo in a browser and checks what a person would see.
//
//   node check.mjs DEMO CHROMIUM [FOLDER]
//
// DEMO is the demo's binary. With FOLDER, pictures of the page are written there.

import { createRequire } from "node:module";
import { join } from "node:path";

import { fetchWith, freePort, request, start, stop } from "./demo.mjs";

const { chromium } = createRequire(join(process.cwd(), "x.js"))("playwright-core");
const [demo, browserPath, folder] = process.argv.slice(2);

let [passed, all] = [0, 0];
async function check(promise, body) {
  all += 1;
  try {
    await body();
    passed += 1;
    console.log(`  ok      ${promise}`);
  } catch (error) {
    console.log(`  FAILED  ${promise}\n          ${String(error.message).split("\n").slice(0, 4).join("\n          ")}`);
  }
}
function assert(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

const port = await freePort();
let server = await start(demo, port);
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
await context.grantPermissions(["clipboard-read", "clipboard-write"]);
const page = await context.newPage();
const complaints = [];
page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
page.on("pageerror", (error) => complaints.push(error.message));

// The load: three clients that ask again and again.
let loaded = true;
async function load() {
  while (loaded) {
    await fetchWith(`${server.at}/`, {}).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const clients = [load(), load(), load()];

const wait = { timeout: 10_000 };
const stuck = page.locator("#stuck tbody tr");
const flight = page.locator("#flight tbody tr");
const ends = page.locator("#ends tbody tr");

await check("curl gets text, with what runs", async () => {
  const answer = await fetchWith(server.view, {});
  assert(answer.status === 200 && answer.body.includes("SCOPES AND TASKS"), answer.body);
});
await check("a name of another site gets nothing", async () => {
  const answer = await fetchWith(server.view, { host: "evil.example" });
  assert(answer.status === 403, `${answer.status}`);
});
await check("the page opens and follows the demo", async () => {
  await page.goto(server.view);
  await page.locator("#status.live").waitFor(wait);
});
const slow = request(server.at, "/report");
await check("a request in flight is listed with its method and path", async () => {
  await flight.filter({ hasText: "GET /report" }).first().waitFor(wait);
});
await check("its trace id is shown, since that key may be printed", async () => {
  await flight.filter({ hasText: "trace-of-the-check" }).first().waitFor(wait);
});
await check("a client that hangs up is an end with its reason", async () => {
  slow.hangUp();
  await ends.filter({ hasText: "GET /report" }).filter({ hasText: "went away" }).first().waitFor(wait);
});
await check("and its request is in flight no more", async () => {
  await flight.filter({ hasText: "GET /report" }).first().waitFor({ state: "detached", ...wait });
});
await check("a task that goes on after its end is first, with its cause and its line", async () => {
  const hanging = request(server.at, "/report?hang");
  await page.locator("#tree").getByText("audit log").first().waitFor(wait);
  hanging.hangUp();
  const row = stuck.filter({ hasText: "audit log" });
  await row.waitFor(wait);
  const text = await row.innerText();
  assert(text.includes("went away"), text);
  assert(/service\.rs:\d+/.test(text), text);
  const title = await page.title();
  assert(title.startsWith("("), title);
});
if (folder) await pictures();
await check("the filter leaves what has the word in it", async () => {
  await page.getByLabel("Filter").fill("no such task");
  await page.locator("#stuck .none").waitFor(wait);
  await page.getByLabel("Filter").fill("audit");
  await stuck.filter({ hasText: "audit log" }).waitFor(wait);
  await page.getByLabel("Filter").fill("");
});
await check("the filter by reason leaves the ends with that reason", async () => {
  const reason = page.getByLabel("Reason");
  await reason.selectOption("RequestFinished");
  await page.locator("#stuck .none").waitFor(wait);
  await reason.selectOption("");
  await stuck.first().waitFor(wait);
});
await check("pause holds what is shown, and going on follows again", async () => {
  await page.getByRole("button", { name: "Pause" }).click();
  const before = await page.locator("main").innerText();
  await page.waitForTimeout(1500);
  assert(before === await page.locator("main").innerText(), "it changed");
  await page.getByRole("button", { name: "Go on" }).click();
  await page.waitForFunction((old) => document.querySelector("main").innerText !== old, before, wait);
});
await check("a hostile path is shown as text", async () => {
  await fetchWith(`${server.at}/%3Cscript%3Ewindow.pwned=1%3C/script%3E`, {});
  await fetchWith(`${server.at}/%0aforged%e2%80%aetxt`, {});
  await ends.filter({ hasText: "script" }).first().waitFor(wait);
  assert(!(await page.evaluate(() => window.pwned)), "the script ran");
  const markup = await page.locator("#ends tbody").innerHTML();
  assert(!markup.includes("<script"), "the script is in the page");
});
await check("keys reach the filter and the pause", async () => {
  await page.locator("h1").click();
  await page.keyboard.press("/");
  assert(await page.getByLabel("Filter").evaluate((e) => e === document.activeElement), "no focus");
  await page.keyboard.press("Escape");
  await page.keyboard.press("p");
  await page.getByRole("button", { name: "Go on" }).waitFor(wait);
  await page.keyboard.press("p");
});
await check("copy as text copies what curl gets", async () => {
  await page.getByRole("button", { name: "Copy as text" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor(wait);
  const text = await page.evaluate(() => navigator.clipboard.readText());
  assert(text.includes("ENDED BUT STILL RUNNING"), text);
});
await check("the list does not jump while one points into it", async () => {
  const first = ends.first();
  await first.hover();
  const key = await first.getAttribute("data-key");
  await page.waitForTimeout(1500);
  assert(key === await ends.first().getAttribute("data-key"), "the first row moved");
  await page.mouse.move(0, 0);
});
await check("it is dark where the system is dark", async () => {
  await page.emulateMedia({ colorScheme: "dark" });
  const color = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const [red] = color.match(/\d+/g).map(Number);
  assert(red < 64, color);
  await page.emulateMedia({ colorScheme: "light" });
});
await check("a narrow screen shows everything without scrolling sideways", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert(wide <= 360, `${wide} px`);
  await page.setViewportSize({ width: 1200, height: 900 });
});
await check("every control has a name, and every region a heading, for a screen reader", async () => {
  const bad = await page.evaluate(() => [...document.querySelectorAll("input, select, button")]
    .filter((e) => !(e.labels?.length || e.textContent.trim())).length);
  assert(bad === 0, `${bad} without a name`);
  for (const name of ["Ended but still running", "Scopes and tasks", "In flight", "Last ends"]) {
    await page.getByRole("region", { name: new RegExp(`^${name}`) }).waitFor(wait);
  }
});
await check("no rule of the page's own policy is broken, and no script fails", async () => {
  assert(complaints.length === 0, complaints.join("\n"));
});
await check("it connects again after the server was restarted", async () => {
  const before = await page.locator("#status").innerText();
  await stop(server);
  await page.locator("#status.lost").waitFor(wait);
  server = await start(demo, port);
  await page.waitForFunction((old) => {
    const status = document.querySelector("#status");
    return status.className === "live" && status.innerText !== old;
  }, before, wait);
});

loaded = false;
await Promise.all(clients);
await browser.close();
await stop(server);
console.log(`view: ${passed} of ${all} as promised`);
process.exitCode = passed === all ? 0 : 1;

async function pictures() {
  const sizes = { wide: { width: 1100, height: 760 }, phone: { width: 390, height: 844 } };
  for (const [size, viewport] of Object.entries(sizes)) {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      await page.waitForTimeout(700);
      await page.screenshot({ path: join(folder, `view-${size}-${colorScheme}.png`) });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1200, height: 900 });
}
