// The shopping cart of the Dynamo paper (sections 4.4 and 6) with ioredis.
//
//     node cart.mjs demo [PORT PORT PORT]            the story below, on 7001, 7002 and 7003
//     node cart.mjs add PORT CUSTOMER QUANTITY ITEM  load, change, save
//     node cart.mjs show PORT CUSTOMER
//
// `npm install ioredis` in this folder, or anywhere above it, brings the client. What a cart is, and
// why it is read with DYN.GET and written with DYN.PUT, is told in cart.py; the three programs share
// their carts.
import { createRequire } from "node:module";

const usage = "cart.mjs demo [PORT PORT PORT] | add PORT CUSTOMER QUANTITY ITEM | show PORT CUSTOMER";

// CART_MODULES: a folder that has the package, where none above this one does.
const { Redis } = createRequire(process.env.CART_MODULES ?? import.meta.url)("ioredis");

function parse(text) {
  const cart = new Map();
  for (const line of text.split("\n")) {
    const blank = line.indexOf(" ");
    if (blank > 0) cart.set(line.slice(blank + 1), Number(line.slice(0, blank)));
  }
  return cart;
}

function format(cart) {
  const lines = [...cart].map(([item, quantity]) => [item, `${quantity} ${item}\n`]);
  return lines.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line).join("");
}

// Every item of every version, in the larger quantity: both sides' additions stay.
function merge(carts) {
  const merged = new Map();
  for (const cart of carts) {
    for (const [item, quantity] of cart) {
      merged.set(item, Math.max(quantity, merged.get(item) ?? 0));
    }
  }
  return merged;
}

// The carts as one node shows them.
class Carts {
  constructor(port) {
    this.node = new Redis({ host: "127.0.0.1", port });
  }

  // The context of what was read, and each version of the cart.
  async versions(customer) {
    const [context, values] = await this.node.call("DYN.GET", `cart:${customer}`);
    return { context, carts: values.map(parse) };
  }

  async load(customer) {
    const { context, carts } = await this.versions(customer);
    return { context, cart: merge(carts) };
  }

  async save(customer, context, cart) {
    await this.node.call("DYN.PUT", `cart:${customer}`, context, format(cart));
  }

  close() {
    this.node.disconnect();
  }
}

async function add(port, customer, quantity, item) {
  const carts = new Carts(port);
  const { context, cart } = await carts.load(customer);
  cart.set(item, (cart.get(item) ?? 0) + quantity);
  await carts.save(customer, context, cart);
  carts.close();
}

async function show(port, customer) {
  const carts = new Carts(port);
  process.stdout.write(format((await carts.load(customer)).cart));
  carts.close();
}

async function demo(ports) {
  const [phone, laptop, shop] = ports.map((port) => new Carts(port));
  const customer = "ann-js";
  const before = await phone.load(customer);
  await phone.save(customer, before.context, new Map([["book", 1]]));
  console.log("a book is in the cart");

  // Both devices see the same cart, then both change it; neither knows of the other.
  const onPhone = await phone.load(customer);
  const onLaptop = await laptop.load(customer);
  await phone.save(customer, onPhone.context, onPhone.cart.set("lamp", 1));
  await laptop.save(customer, onLaptop.context, onLaptop.cart.set("kettle", 2));
  console.log("the phone adds a lamp, the laptop two kettles, at the same time");

  const { context, carts } = await shop.versions(customer);
  console.log(`the third node has ${carts.length} versions:\n${carts.map(format).join("---\n")}`);
  await shop.save(customer, context, merge(carts));

  const after = await phone.versions(customer);
  console.log(`merged, ${after.carts.length} version:\n${after.carts.map(format).join("---\n")}`);
  for (const carts of [phone, laptop, shop]) carts.close();
  if (after.carts.map(format).join() !== "1 book\n2 kettle\n1 lamp\n") {
    throw new Error("an addition was lost");
  }
}

const [word, ...rest] = process.argv.slice(2);
if (word === "demo" && (rest.length === 0 || rest.length === 3)) {
  await demo(rest.length === 3 ? rest : [7001, 7002, 7003]);
} else if (word === "add" && rest.length === 4) {
  await add(rest[0], rest[1], Number(rest[2]), rest[3]);
} else if (word === "show" && rest.length === 2) {
  await show(rest[0], rest[1]);
} else {
  console.error(usage);
  process.exitCode = 1;
}
