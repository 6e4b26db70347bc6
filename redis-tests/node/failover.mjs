// ioredis and node-redis as cluster clients while a node of three is killed: run with `node:test`,
// the nodes' client ports as arguments, and the process id of the last node in VICTIM.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { names, ports, require, story } from "./harness.mjs";

const { Cluster } = require("ioredis");
const { createCluster } = require("redis");

const keys = names("failover", 30); // of all three nodes
const counts = new Map(keys.map((key) => [key, 0]));

// Increments every key for a while. A try that failed may have counted, and so may one that the
// client sent twice by itself: at most one command per key is on its way when the node dies.
async function increment(client, milliseconds, mayFail) {
  const deadline = Date.now() + milliseconds;
  while (Date.now() < deadline) {
    for (const key of keys) {
      let tries = 1;
      let count;
      while (count === undefined) {
        try {
          count = await client.incr(key);
        } catch (error) {
          assert.ok(mayFail && Date.now() < deadline + 10_000, error);
          tries += 1;
          await sleep(50);
        }
      }
      const before = counts.get(key);
      const most = mayFail ? before + tries + 1 : before + 1;
      assert.ok(before < count && count <= most, `${key}: ${before}, then ${count}`);
      counts.set(key, count);
    }
  }
}

async function heard(cluster, publish, inbox) {
  const deadline = Date.now() + 15_000;
  while (inbox.length === 0) {
    assert.ok(Date.now() < deadline, "no message within 15 s");
    await publish().catch(() => {});
    await sleep(100);
  }
}

story("both go on when a node dies, and hear what is published", async (t) => {
  const nodes = ports.map((port) => ({ host: "127.0.0.1", port }));
  const io = new Cluster(nodes, { redisOptions: { commandTimeout: 3000 } });
  io.on("error", () => {});
  t.after(() => io.disconnect());
  const nr = createCluster({
    rootNodes: nodes.map((socket) => ({ socket })),
    defaults: { commandOptions: { timeout: 3000 } },
    topologyRefreshOnReconnectionAttemptStrategy: 500, // ms; its own default is 5 s
  });
  nr.on("error", () => {});
  nr.on("node-error", () => {});
  await nr.connect();
  t.after(() => nr.destroy());
  const inboxes = [[], []];
  io.on("message", (channel, text) => inboxes[0].push(text));
  await io.subscribe("failover:news");
  await nr.subscribe("failover:news", (text) => inboxes[1].push(text));

  await increment(io, 500, false);
  await increment(nr, 500, false);
  process.kill(Number(process.env.VICTIM), "SIGKILL");
  await Promise.all(keys.map((key) => nr.get(key).catch(() => {}))); // meets the dead node as well
  await increment(io, 2000, true);
  await increment(nr, 2000, true);
  await increment(io, 300, false);
  await increment(nr, 300, false);
  for (const inbox of inboxes) inbox.length = 0;
  await heard(io, () => nr.publish("failover:news", "to ioredis"), inboxes[0]);
  await heard(nr, () => io.publish("failover:news", "to node-redis"), inboxes[1]);
});
