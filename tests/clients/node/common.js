// What every client here does: it is called as `CLIENT WAY URL ADMIN ID`, does what the function
// of that name says, and prints when it acted. It fails by an exception.
"use strict";
const assert = require("node:assert");

const [way, url, admin, id] = process.argv.slice(2);

module.exports = {
  url,
  headers: { "x-id": id },
  deadline: { "x-id": id, "x-timeout-ms": "150" },
  assert,
  acted: () => console.log("acted", Date.now()),
  began: async () => (await fetch(`${admin}/began?id=${id}`)).text(),
  main: (ways) => {
    process.on("unhandledRejection", (error) => {
      console.error(error);
      process.exit(1);
    });
    ways[way.replaceAll("-", "_")]().then(
      () => process.exit(0),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  },
};
