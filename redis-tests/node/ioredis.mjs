// ioredis as an application uses it, against a ring of three: run with `node:test`, the nodes'
// client ports as arguments.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Inbox, names, ports, require, setAndGet, story } from "./harness.mjs";

const { Redis, Cluster } = require("ioredis");

// A client of node `i` with the library's defaults but for `options`.
function connect(t, i, options = {}) {
  return open(t, new Redis(ports[i], "127.0.0.1", options));
}

function open(t, client) {
  client.on("error", () => {}); // a failure rejects the call as well
  t.after(() => client.disconnect());
  return client;
}

function connectCluster(t, options = {}) {
  return open(t, new Cluster(ports.map((port) => ({ host: "127.0.0.1", port })), options));
}

async function collect(stream) {
  const seen = new Set();
  for await (const page of stream) page.forEach((key) => seen.add(key));
  return [...seen].sort();
}

story("is ready with its defaults, ready check and all", async (t) => {
  const client = connect(t, 0);
  await once(client, "ready");
  assert.equal(client.status, "ready");
  assert.equal(client.condition.protocol, 3); // what it asked for, and did not fall back from
  const cluster = connectCluster(t);
  await once(cluster, "ready");
  assert.equal(cluster.nodes("master").length, 3);
});

story("selects a database, prefixes keys, gives a name and a password", async (t) => {
  const admin = connect(t, 2);
  await admin.config("SET", "requirepass", "open sesame");
  try {
    const client = connect(t, 2, {
      db: 3, keyPrefix: "io:pre:", connectionName: "named", password: "open sesame",
    });
    await client.set("db", "three");
    assert.equal(await client.client("GETNAME"), "named");
  } finally {
    await admin.config("SET", "requirepass", "");
  }
  assert.equal(await connect(t, 0, { db: 3 }).get("io:pre:db"), "three");
  assert.equal(await connect(t, 0).get("io:pre:db"), null);
});

for (const protocol of [2, 3]) {
  story(`sets on one node, gets on another, RESP${protocol}`, (t) =>
    setAndGet(connect(t, 0, { protocol }), connect(t, 1, { protocol }), `io:r${protocol}`));

  story(`cluster: sets and gets, RESP${protocol}`, async (t) => {
    const cluster = connectCluster(t, { redisOptions: { protocol } });
    await setAndGet(cluster, cluster, `ioc:r${protocol}`);
  });

  story(`MULTI takes keys of several slots, RESP${protocol}`, async (t) => {
    const client = connect(t, 0, { protocol });
    const replies = await client.multi()
      .set("io:m1", "a").set("io:m2", "1").incr("io:m2").get("io:m1").exec();
    assert.deepEqual(replies, [[null, "OK"], [null, "OK"], [null, 2], [null, "a"]]);
    const [set, incr, get] = await client.multi()
      .set("io:m1", "text").incr("io:m1").get("io:m1").exec();
    assert.deepEqual([set, get], [[null, "OK"], [null, "text"]]);
    assert.match(incr[0].message, /not an integer/);
    await assert.rejects(client.multi().set("io:m1", "lost").get().exec(), /EXECABORT/);
    assert.equal(await client.get("io:m1"), "text");
    // Without a pipeline each command is queued by itself.
    await client.multi({ pipeline: false });
    assert.equal(await client.set("io:m1", "by hand"), "QUEUED");
    assert.equal(await client.get("io:m1"), "QUEUED");
    assert.deepEqual(await client.exec(), [[null, "OK"], [null, "by hand"]]);
  });

  story(`WATCH sees another node's write, RESP${protocol}`, async (t) => {
    const client = connect(t, 0, { protocol });
    const other = connect(t, 1, { protocol });
    await client.set("io:w", "1");
    await client.watch("io:w");
    await other.set("io:w", "2");
    assert.equal(await client.multi().set("io:w", "3").exec(), null);
    assert.equal(await other.get("io:w"), "2");
    await client.watch("io:w");
    assert.deepEqual(await client.multi().incr("io:w").exec(), [[null, 3]]);
    assert.equal(await other.get("io:w"), "3");
  });

  story(`publishes to subscribers of another node, RESP${protocol}`, async (t) => {
    const publisher = connect(t, 0, { protocol });
    const subscriber = open(t, publisher.duplicate());
    const elsewhere = connect(t, 1, { protocol });
    const inboxes = [new Inbox(), new Inbox(), new Inbox()];
    subscriber.on("message", (...message) => inboxes[0].put(message));
    elsewhere.on("message", (...message) => inboxes[1].put(message));
    elsewhere.on("pmessage", (...message) => inboxes[2].put(message));
    assert.equal(await subscriber.subscribe("io:news"), 1);
    assert.equal(await elsewhere.subscribe("io:news", "io:more"), 2);
    assert.equal(await elsewhere.psubscribe("io:n?ws"), 3);
    await publisher.publish("io:news", "hello");
    assert.deepEqual(await inboxes[0].take("message"), ["io:news", "hello"]);
    assert.deepEqual(await inboxes[1].take("message"), ["io:news", "hello"]);
    assert.deepEqual(await inboxes[2].take("pmessage"), ["io:n?ws", "io:news", "hello"]);
    assert.equal(await elsewhere.unsubscribe("io:news", "io:more"), 1);
    assert.equal(await elsewhere.punsubscribe("io:n?ws"), 0);
    assert.equal(await elsewhere.set("io:unsubscribed", "yes"), "OK");
  });

  story(`cluster: subscribes, plain and sharded, RESP${protocol}`, async (t) => {
    const cluster = connectCluster(t, { shardedSubscribers: true, redisOptions: { protocol } });
    const plain = new Inbox();
    cluster.on("message", (...message) => plain.put(message));
    await cluster.subscribe("ioc:news");
    await cluster.publish("ioc:news", "to all");
    assert.deepEqual(await plain.take("message"), ["ioc:news", "to all"]);
    const sharded = new Inbox();
    cluster.on("smessage", (channel, text) => sharded.put([channel, text]));
    for (const channel of names("ioc:shard", 12)) {
      await cluster.ssubscribe(channel);
      await cluster.spublish(channel, `of ${channel}`);
      assert.deepEqual(await sharded.take("sharded message"), [channel, `of ${channel}`]);
      await cluster.sunsubscribe(channel);
    }
    assert.equal(await cluster.set("ioc:after", "v"), "OK");
  });

  story(`iterates over all keys, from a node and in a cluster, RESP${protocol}`, async (t) => {
    const client = connect(t, 2, { protocol });
    const keys = names(`io:scan${protocol}`, 300).sort();
    await client.mset(keys.flatMap((key) => [key, "v"]));
    const options = { match: `io:scan${protocol}:*`, count: 50 };
    assert.deepEqual(await collect(client.scanStream(options)), keys);
    const cluster = connectCluster(t, { redisOptions: { protocol } });
    await once(cluster, "ready");
    const nodes = cluster.nodes("master");
    const pages = await Promise.all(nodes.map((node) => collect(node.scanStream(options))));
    assert.deepEqual([...new Set(pages.flat())].sort(), keys);
  });

  story(`connects again after CLIENT KILL, and subscribes again, RESP${protocol}`, async (t) => {
    const client = connect(t, 0, { protocol });
    const subscriber = open(t, client.duplicate());
    const inbox = new Inbox();
    subscriber.on("message", (channel, text) => inbox.put(text));
    await subscriber.subscribe("io:again");
    const killer = connect(t, 0, { protocol });
    const pubsub = (await killer.client("LIST", "TYPE", "PUBSUB")).match(/(?<=\bid=)\d+/g);
    assert.equal(pubsub.length, 1);
    for (const [victim, id] of [[client, await client.client("ID")], [subscriber, pubsub[0]]]) {
      const ready = once(victim, "ready");
      assert.equal(await killer.client("KILL", "ID", id), 1);
      await ready;
    }
    assert.equal(await client.set("io:killed", "alive"), "OK");
    await subscriber.ping(); // behind the subscription that it renews when ready
    await killer.publish("io:again", "still there");
    assert.equal(await inbox.take("message after the kill"), "still there");
  });
}

story("cluster: pipelines and MULTI of one slot", async (t) => {
  const cluster = connectCluster(t);
  const pipeline = cluster.pipeline().set("ioc:{p}:1", "1").set("ioc:{p}:2", "2").get("ioc:{p}:1");
  assert.deepEqual(await pipeline.exec(), [[null, "OK"], [null, "OK"], [null, "1"]]);
  const multi = cluster.multi().incr("ioc:{p}:1").get("ioc:{p}:2");
  assert.deepEqual(await multi.exec(), [[null, 2], [null, "2"]]);
});

story("auto-pipelining, plain and as a cluster", async (t) => {
  const options = { enableAutoPipelining: true };
  for (const client of [connect(t, 0, options), connectCluster(t, options)]) {
    await Promise.all(names("io:auto", 200).map((key) => client.set(key, key)));
    const values = await Promise.all(names("io:auto", 200).map((key) => client.get(key)));
    assert.deepEqual(values, names("io:auto", 200));
  }
});

story("an unknown subcommand is an error that breaks nothing", async (t) => {
  const client = connect(t, 0);
  const rejected = [
    ["CLIENT", "MAINT_NOTIFICATIONS", "ON"], ["CLIENT", "NO-SUCH"], ["CONFIG", "NO-SUCH"],
    ["NO-SUCH-COMMAND", "a"], ["CLUSTER", "NO-SUCH"], ["OBJECT", "NO-SUCH"],
  ];
  const outcomes = await Promise.allSettled([
    ...rejected.map(([name, ...rest]) => client.call(name, ...rest)), client.ping()]);
  assert.equal(outcomes.pop().value, "PONG");
  outcomes.forEach((outcome, i) => {
    assert.equal(outcome.status, "rejected", rejected[i].join(" "));
    assert.match(outcome.reason.message, /^ERR [Uu]nknown (sub)?command/);
  });
  assert.equal(client.status, "ready");
});

story("monitors what a node is sent", async (t) => {
  const inbox = new Inbox();
  const monitor = open(t, await connect(t, 1).monitor());
  monitor.on("monitor", (time, words, source, database) => inbox.put([words, database]));
  await connect(t, 1).set("io:monitored", "v");
  let seen;
  do seen = await inbox.take("line of MONITOR"); while (!seen[0].includes("io:monitored"));
  assert.deepEqual(seen, [["set", "io:monitored", "v"], "0"]);
});
