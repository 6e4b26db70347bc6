"""Tables in a document that programs write: each stands between two lines, which are comments."""


def put_between(text, begin, end, table):
    """`text` with what stands between the two lines replaced."""
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError("no place for the table: %s" % begin)
    head, _, rest = text.partition(begin)
    return "%s%s\n\n%s\n\n%s%s" % (head, begin, table, end, rest.partition(end)[2])


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, begin, end, table):
    """True when the document is another now."""
    old = read(path)
    new = put_between(old, begin, end, table)
    if new != old:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)
    return new != old
