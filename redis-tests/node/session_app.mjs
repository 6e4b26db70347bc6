// A small web application whose sessions lie in Cartwheel: express, express-session and
// connect-redis over node-redis. SESSION_CLIENT says how it connects: "one" to the first port of
// the command line, "cluster" to all of them. It prints the port it listens on; SIGTERM ends it.
import { ports, require } from "./harness.mjs";

const express = require("express");
const session = require("express-session");
const { RedisStore } = require("connect-redis");
const { createClient, createCluster } = require("redis");

const minutes = 60_000;
const sockets = ports.map((port) => ({ socket: { host: "127.0.0.1", port } }));
// A command that a lost connection took with it fails the request, whose browser tries again.
const timeouts = { commandOptions: { timeout: 3000 } };
const client = process.env.SESSION_CLIENT === "cluster"
  ? createCluster({ rootNodes: sockets, defaults: timeouts })
  : createClient({ ...sockets[0], ...timeouts });
client.on("error", (error) => console.error("redis:", error.message));
client.on("node-error", (error) => console.error("redis node:", error.message));
await client.connect();

const store = new RedisStore({ client, prefix: "session:" });
const app = express();
app.use(session({
  store,
  secret: "of the test",
  resave: false,
  saveUninitialized: false,
  cookie: { maxAge: 10 * minutes },
}));

app.post("/login/:name", (request, response, next) => {
  request.session.regenerate((error) => {
    if (error) return next(error);
    request.session.name = request.params.name;
    request.session.views = 0;
    response.json({ name: request.session.name });
  });
});

app.get("/view", (request, response) => {
  if (request.session.name === undefined) return response.status(401).json({});
  request.session.views += 1;
  response.json({ name: request.session.name, views: request.session.views });
});

// Changes nothing, so that the store only sets the session's expiry anew.
app.get("/who", (request, response) => {
  response.json({ name: request.session.name ?? null });
});

app.post("/logout", (request, response, next) => {
  request.session.destroy((error) => (error ? next(error) : response.json({})));
});

app.get("/sessions", async (request, response) => {
  const sessions = await store.all();
  response.json(sessions.map((one) => one.name).sort());
});

app.use((error, request, response, next) => {
  if (response.headersSent) return next(error);
  response.status(503).json({ error: error.message });
});

const server = app.listen(0, "127.0.0.1", () => console.log(`port ${server.address().port}`));
process.on("SIGTERM", () => {
  server.close(async () => {
    await client.close();
    process.exit(0);
  });
  server.closeAllConnections();
});
