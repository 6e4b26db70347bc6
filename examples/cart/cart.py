#!/usr/bin/python3
"""The shopping cart of the Dynamo paper (sections 4.4 and 6) with redis-py.

    cart.py demo [PORT PORT PORT]            the story below, on 7001, 7002 and 7003
    cart.py add PORT CUSTOMER QUANTITY ITEM  load, change, save
    cart.py show PORT CUSTOMER

A cart is a text of lines `quantity item`. The rule of the paper: an addition is never lost. So a
cart is read with DYN.GET, which gives every version that nobody has replaced, and the versions are
merged here, where it is known what a cart is. It is written with DYN.PUT and the context of that
read, which replaces exactly the versions that were read. Two customers' devices that write at the
same time leave two versions, and the next reader merges them.
"""

import sys

import redis


def parse(text):
    cart = {}
    for line in text.decode().splitlines():
        quantity, item = line.split(" ", 1)
        cart[item] = int(quantity)
    return cart


def format_cart(cart):
    return "".join(f"{quantity} {item}\n" for item, quantity in sorted(cart.items()))


def merge(carts):
    """Every item of every version, in the larger quantity: both sides' additions stay."""
    merged = {}
    for cart in carts:
        for item, quantity in cart.items():
            merged[item] = max(quantity, merged.get(item, 0))
    return merged


class Carts:
    """The carts as one node shows them."""

    def __init__(self, port):
        self.node = redis.Redis(host="127.0.0.1", port=port)

    def versions(self, customer):
        """The context of what was read, and each version of the cart."""
        context, values = self.node.execute_command("DYN.GET", f"cart:{customer}")
        return context, [parse(value) for value in values]

    def load(self, customer):
        context, carts = self.versions(customer)
        return context, merge(carts)

    def save(self, customer, context, cart):
        self.node.execute_command("DYN.PUT", f"cart:{customer}", context, format_cart(cart))


def add(port, customer, quantity, item):
    carts = Carts(port)
    context, cart = carts.load(customer)
    cart[item] = cart.get(item, 0) + quantity
    carts.save(customer, context, cart)


def show(port, customer):
    print(format_cart(Carts(port).load(customer)[1]), end="")


def demo(ports):
    phone, laptop, shop = (Carts(port) for port in ports)
    customer = "ann-py"
    context, _ = phone.load(customer)
    phone.save(customer, context, {"book": 1})
    print("a book is in the cart")

    # Both devices see the same cart, then both change it; neither knows of the other.
    phone_context, phone_cart = phone.load(customer)
    laptop_context, laptop_cart = laptop.load(customer)
    phone.save(customer, phone_context, phone_cart | {"lamp": 1})
    laptop.save(customer, laptop_context, laptop_cart | {"kettle": 2})
    print("the phone adds a lamp, the laptop two kettles, at the same time")

    context, versions = shop.versions(customer)
    print(f"the third node has {len(versions)} versions: {versions}")
    shop.save(customer, context, merge(versions))

    _, versions = phone.versions(customer)
    print(f"merged, {len(versions)} version: {versions}")
    if versions != [{"book": 1, "lamp": 1, "kettle": 2}]:
        sys.exit("an addition was lost")


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["demo"] and len(arguments) in (1, 4):
        demo([int(port) for port in arguments[1:]] or [7001, 7002, 7003])
    elif arguments[:1] == ["add"] and len(arguments) == 5:
        add(int(arguments[1]), arguments[2], int(arguments[3]), arguments[4])
    elif arguments[:1] == ["show"] and len(arguments) == 3:
        show(int(arguments[1]), arguments[2])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
