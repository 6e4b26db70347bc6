// The installed packages lie in the build directory, which NODE_CLIENTS names, and not beside this
// file: whoever imports this requires them from there. And what the clients' tests share.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";

export const require = createRequire(path.join(process.env.NODE_CLIENTS, "package.json"));

// The nodes' client ports, from the command line.
export const ports = process.argv.slice(2).map(Number);

// A test that fails rather than waits for ever.
export const story = (name, body) => test(name, { timeout: 20_000 }, body);

// Names of many slots.
export const names = (prefix, count) => Array.from({ length: count }, (_, i) => `${prefix}:${i}`);

export async function setAndGet(writer, reader, prefix) {
  const keys = names(prefix, 50);
  for (const key of keys) assert.equal(await writer.set(key, `one ${key}`), "OK");
  for (const key of keys) assert.equal(await reader.get(key), `one ${key}`);
  // Many at once: the client pipelines these.
  await Promise.all(keys.map((key) => writer.set(key, `two ${key}`)));
  const values = await Promise.all(keys.map((key) => reader.get(key)));
  assert.deepEqual(values, keys.map((key) => `two ${key}`));
}

// Collects what a subscription delivers: `take` waits for the next.
export class Inbox {
  #items = [];
  #waiting = [];

  put(item) {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#items.push(item);
    else waiting(item);
  }

  take(what) {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${what} within 5 s`)), 5000);
      this.#waiting.push((item) => {
        clearTimeout(timer);
        resolve(item);
      });
    });
  }
}
