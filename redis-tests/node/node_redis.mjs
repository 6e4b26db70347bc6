// node-redis as an application uses it, against a ring of three: run with `node:test`, the
// nodes' client ports as arguments.
import assert from "node:assert/strict";
import { Inbox, names, ports, require, setAndGet, story } from "./harness.mjs";

const { createClient, createCluster, MultiErrorReply, WatchError } = require("redis");

// A connected client of node `i`, with the library's defaults but for `options`.
function connect(t, i, options = {}) {
  return open(t, createClient({ socket: { host: "127.0.0.1", port: ports[i] }, ...options }));
}

async function open(t, client) {
  client.on("error", () => {}); // a failure rejects the call as well
  t.after(() => client.isOpen && client.destroy());
  await client.connect();
  return client;
}

function connectCluster(t, options = {}) {
  const rootNodes = ports.map((port) => ({ socket: { host: "127.0.0.1", port } }));
  return open(t, createCluster({ rootNodes, ...options }));
}

story("connects with its defaults, which are RESP3", async (t) => {
  const client = await connect(t, 0, { name: "by-default" });
  const hello = await client.hello();
  assert.equal(hello.proto, 3);
  assert.equal(hello.version, "7.0.15");
  assert.equal(await client.clientGetName(), "by-default");
  assert.equal((await client.clientInfo()).libName, "node-redis"); // what it said by CLIENT SETINFO
});

story("selects a database and has a password from its URL", async (t) => {
  const url = (password) => `redis://:${encodeURIComponent(password)}@127.0.0.1:${ports[2]}/3`;
  const admin = await connect(t, 2);
  await admin.configSet("requirepass", "open sesame");
  try {
    const client = await open(t, createClient({ url: url("open sesame") }));
    await client.set("nr:db", "three");
    assert.equal(await client.get("nr:db"), "three");
    const wrong = createClient({ url: url("wrong"), socket: { reconnectStrategy: false } });
    wrong.on("error", () => {});
    await assert.rejects(wrong.connect(), /WRONGPASS/);
  } finally {
    await admin.configSet("requirepass", "");
  }
  assert.equal(await (await connect(t, 0, { database: 3 })).get("nr:db"), "three");
  assert.equal(await (await connect(t, 1)).get("nr:db"), null);
});

for (const RESP of [2, 3]) {
  story(`sets on one node, gets on another, RESP${RESP}`, async (t) =>
    setAndGet(await connect(t, 0, { RESP }), await connect(t, 1, { RESP }), `nr:r${RESP}`));

  story(`cluster: sets and gets, RESP${RESP}`, async (t) => {
    const cluster = await connectCluster(t, { RESP });
    assert.equal(cluster.masters.length, 3);
    await setAndGet(cluster, cluster, `nrc:r${RESP}`);
  });

  story(`MULTI takes keys of several slots, RESP${RESP}`, async (t) => {
    const client = await connect(t, 0, { RESP });
    const replies = await client.multi()
      .set("nr:m1", "a").set("nr:m2", "1").incr("nr:m2").get("nr:m1").exec();
    assert.deepEqual(replies, ["OK", "OK", 2, "a"]);
    const failed = client.multi().set("nr:m1", "text").incr("nr:m1").get("nr:m1").exec();
    await assert.rejects(failed, (error) => {
      assert.ok(error instanceof MultiErrorReply);
      assert.deepEqual(error.errorIndexes, [1]);
      assert.match(error.replies[1].message, /not an integer/);
      assert.deepEqual([error.replies[0], error.replies[2]], ["OK", "text"]);
      return true;
    });
    assert.equal(await client.get("nr:m1"), "text");
  });

  story(`WATCH sees another node's write, RESP${RESP}`, async (t) => {
    const client = await connect(t, 0, { RESP });
    const other = await connect(t, 1, { RESP });
    await client.set("nr:w", "1");
    await client.watch("nr:w");
    await other.set("nr:w", "2");
    await assert.rejects(client.multi().set("nr:w", "3").exec(), WatchError);
    assert.equal(await other.get("nr:w"), "2");
    await client.watch("nr:w");
    const value = Number(await client.get("nr:w"));
    assert.deepEqual(await client.multi().set("nr:w", String(value + 1)).exec(), ["OK"]);
    assert.equal(await other.get("nr:w"), "3");
  });

  story(`publishes to subscribers of another node, RESP${RESP}`, async (t) => {
    const publisher = await connect(t, 0, { RESP });
    const subscriber = await open(t, publisher.duplicate());
    const elsewhere = await connect(t, 1, { RESP });
    const inboxes = [new Inbox(), new Inbox(), new Inbox()];
    await subscriber.subscribe("nr:news", (text, channel) => inboxes[0].put([channel, text]));
    await elsewhere.subscribe("nr:news", (text, channel) => inboxes[1].put([channel, text]));
    await elsewhere.pSubscribe("nr:n?ws", (text, channel) => inboxes[2].put([channel, text]));
    await publisher.publish("nr:news", "first");
    await publisher.publish("nr:news", "second");
    for (const inbox of inboxes) {
      assert.deepEqual(await inbox.take("message"), ["nr:news", "first"]);
      assert.deepEqual(await inbox.take("message"), ["nr:news", "second"]);
    }
    if (RESP === 3) { // a subscriber goes on with commands
      await elsewhere.set("nr:subscribed", "yes");
      assert.equal(await elsewhere.get("nr:subscribed"), "yes");
    }
    await elsewhere.unsubscribe("nr:news");
    await elsewhere.pUnsubscribe();
    await elsewhere.set("nr:unsubscribed", "yes");
    assert.equal(await publisher.get("nr:unsubscribed"), "yes");
  });

  story(`cluster: subscribes, plain and sharded, RESP${RESP}`, async (t) => {
    const cluster = await connectCluster(t, { RESP });
    const plain = new Inbox();
    await cluster.subscribe("nrc:news", (text) => plain.put(text));
    await cluster.publish("nrc:news", "to all");
    assert.equal(await plain.take("message"), "to all");
    const sharded = new Inbox();
    const channels = names("nrc:shard", 12);
    for (const channel of channels) {
      await cluster.sSubscribe(channel, (text, from) => sharded.put([from, text]));
    }
    for (const channel of channels) {
      await cluster.sPublish(channel, `of ${channel}`);
      assert.deepEqual(await sharded.take("sharded message"), [channel, `of ${channel}`]);
    }
    await cluster.sUnsubscribe(channels[0]);
    await cluster.unsubscribe("nrc:news");
    assert.equal(await cluster.set("nrc:after", "v"), "OK");
  });

  story(`iterates over all keys, from a node and in a cluster, RESP${RESP}`, async (t) => {
    const client = await connect(t, 2, { RESP });
    const keys = names(`nr:scan${RESP}`, 300);
    await client.mSet(keys.map((key) => [key, "v"]));
    const seen = new Set();
    const options = { MATCH: `nr:scan${RESP}:*`, COUNT: 50 };
    for await (const page of client.scanIterator(options)) page.forEach((key) => seen.add(key));
    assert.deepEqual([...seen].sort(), [...keys].sort());

    const cluster = await connectCluster(t, { RESP });
    const everywhere = new Set();
    for (const master of cluster.masters) {
      const node = await cluster.nodeClient(master);
      for await (const page of node.scanIterator(options)) {
        page.forEach((key) => everywhere.add(key));
      }
    }
    assert.deepEqual([...everywhere].sort(), [...keys].sort());
  });

  story(`connects again after CLIENT KILL, and subscribes again, RESP${RESP}`, async (t) => {
    const client = await connect(t, 0, { RESP });
    const subscriber = await open(t, client.duplicate());
    const inbox = new Inbox();
    await subscriber.subscribe("nr:again", (text) => inbox.put(text));
    const killer = await connect(t, 0, { RESP });
    const pubsub = (await killer.clientList({ TYPE: "PUBSUB" })).map(({ id }) => id);
    assert.equal(pubsub.length, 1);
    for (const [victim, id] of [[client, await client.clientId()], [subscriber, pubsub[0]]]) {
      const ready = new Promise((resolve) => victim.once("ready", resolve));
      assert.equal(await killer.clientKill({ filter: "ID", id }), 1);
      await ready;
    }
    assert.equal(await client.set("nr:killed", "alive"), "OK");
    await killer.publish("nr:again", "still there");
    assert.equal(await inbox.take("message after the kill"), "still there");
  });
}

story("cluster: MULTI of one slot", async (t) => {
  const cluster = await connectCluster(t);
  const replies = await cluster.multi()
    .set("nrc:{m}:1", "1").incr("nrc:{m}:1").get("nrc:{m}:1").exec();
  assert.deepEqual(replies, ["OK", 2, "2"]);
});

story("an unknown subcommand is an error that breaks nothing", async (t) => {
  const client = await connect(t, 0);
  const rejected = [
    ["CLIENT", "MAINT_NOTIFICATIONS", "ON"], ["CLIENT", "NO-SUCH"], ["CONFIG", "NO-SUCH"],
    ["NO-SUCH-COMMAND", "a"], ["CLUSTER", "NO-SUCH"], ["OBJECT", "NO-SUCH"],
  ];
  const outcomes = await Promise.allSettled([
    ...rejected.map((command) => client.sendCommand(command)), client.ping()]);
  assert.equal(outcomes.pop().value, "PONG");
  outcomes.forEach((outcome, i) => {
    assert.equal(outcome.status, "rejected", rejected[i].join(" "));
    assert.match(outcome.reason.message, /^ERR [Uu]nknown (sub)?command/);
  });
  assert.equal(client.isReady, true);
});

story("monitors what a node is sent", async (t) => {
  const monitor = await connect(t, 1);
  const inbox = new Inbox();
  await monitor.monitor((line) => inbox.put(String(line)));
  const client = await connect(t, 1);
  await client.set("nr:monitored", "v");
  let line;
  do line = await inbox.take("line of MONITOR"); while (!line.includes("nr:monitored"));
  assert.match(line, /^\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "SET" "nr:monitored" "v"$/);
});

story("a pool's clients share the work", async (t) => {
  const options = { socket: { host: "127.0.0.1", port: ports[0] } };
  const pool = createClient(options).createPool({ minimum: 2, maximum: 4 });
  pool.on("error", () => {});
  await pool.connect();
  t.after(() => pool.destroy());
  const numbers = await Promise.all(Array.from({ length: 100 }, () => pool.incr("nr:pool")));
  assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i + 1));
});
