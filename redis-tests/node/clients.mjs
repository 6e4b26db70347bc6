// What an application's first minute looks like with today's Node.js clients: connect, SET through
// one node, GET through another, plain and as a cluster. Prints one line for each; fails on the
// first thing that is not as with Redis. Arguments: the client ports of the nodes.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

// The packages lie in the build directory, which NODE_CLIENTS names.
const require = createRequire(path.join(process.env.NODE_CLIENTS, "package.json"));
const { createClient, createCluster } = require("redis");
const { Redis, Cluster } = require("ioredis");

const ports = process.argv.slice(2).map(Number);
const [first, second] = ports;
const keys = Array.from({ length: 50 }, (_, i) => `node:${i}`); // of many slots

async function setAndGet(name, writer, reader) {
  for (const key of keys) assert.equal(await writer.set(key, `${name} ${key}`), "OK");
  for (const key of keys) assert.equal(await reader.get(key), `${name} ${key}`);
  // Many at once: the clients pipeline these.
  await Promise.all(keys.map((key) => writer.set(key, `again ${name}`)));
  const values = await Promise.all(keys.map((key) => reader.get(key)));
  assert.ok(values.every((value) => value === `again ${name}`));
  console.log(`${name}: well`);
}

async function nodeRedis(RESP) {
  const clients = [first, second].map((port) =>
    createClient({ RESP, socket: { host: "127.0.0.1", port, reconnectStrategy: false } }));
  for (const client of clients) {
    client.on("error", () => {}); // a failure rejects the call as well
    await client.connect();
  }
  await setAndGet(`node-redis RESP${RESP}`, ...clients);
  for (const client of clients) await client.close();
}

async function nodeRedisCluster(RESP) {
  const cluster = createCluster({
    RESP,
    rootNodes: ports.map((port) => ({ socket: { host: "127.0.0.1", port } })),
  });
  cluster.on("error", () => {});
  await cluster.connect();
  await setAndGet(`node-redis cluster RESP${RESP}`, cluster, cluster);
  await cluster.close();
}

async function ioredis() {
  const options = { maxRetriesPerRequest: 1, retryStrategy: null };
  const clients = [first, second].map((port) => new Redis(port, "127.0.0.1", options));
  await setAndGet("ioredis", ...clients);
  for (const client of clients) await client.quit();
}

async function ioredisCluster() {
  const cluster = new Cluster(ports.map((port) => ({ host: "127.0.0.1", port })));
  await setAndGet("ioredis cluster", cluster, cluster);
  await cluster.quit();
}

await nodeRedis(2);
await nodeRedis(3);
await nodeRedisCluster(2);
await nodeRedisCluster(3);
await ioredis();
await ioredisCluster();
