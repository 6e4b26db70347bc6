#!/usr/bin/python3
"""Draws what bench/ring_lab printed, and puts its tables into docs/ring-lab.md.

    build/bench/ring_lab --rings 20 > lab.txt
    bench/ring_charts.py lab.txt docs

Writes ring-load.svg, ring-movement.svg and ring-gossip.svg. In ring-lab.md each line
`<!-- table: TITLE -->` stands before the code block that becomes the first table whose title begins
so; the rest of the document is written by hand.
"""

import pathlib
import re
import sys

# Two colours of each line, for light and for dark pages, that the colour-blind tell apart.
COLOURS = [("#0072b2", "#56b4e9"), ("#d55e00", "#ff9450"), ("#009e73", "#3fd0a4"),
           ("#8a6d00", "#f0e442"), ("#a0508a", "#e69acb")]
DASHES = ["", "7 4", "2 3", "9 3 2 3", "4 2"]


class Table:
    def __init__(self, title, lines):
        self.title = title
        self.lines = lines
        self.columns = lines[0].split()
        self.rows = [line.split() for line in lines[1:]]

    def column(self, name):
        return [row[self.columns.index(name)] for row in self.rows]

    def numbers(self, name):
        return [None if cell == "-" else float(cell) for cell in self.column(name)]


def read_tables(text):
    tables = []
    for block in re.split(r"^## ", text, flags=re.M)[1:]:
        title, *lines = block.strip().split("\n")
        tables.append(Table(title, lines))
    return tables


def find(tables, title):
    found = [table for table in tables if table.title.startswith(title)]
    if not found:
        sys.exit(f"ring_charts: no table '{title}'")
    return found[0]


class Drawing:
    def __init__(self, width, height, title):
        self.width, self.height = width, height
        light = "".join(f".l{i}{{stroke:{c}}}.m{i}{{fill:{c}}}" for i, (c, _) in enumerate(COLOURS))
        dark = "".join(f".l{i}{{stroke:{c}}}.m{i}{{fill:{c}}}" for i, (_, c) in enumerate(COLOURS))
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{title}</title>",
            "<style>",
            "text{font:12px system-ui,sans-serif;fill:#24292f}.head{font-weight:600;font-size:13px}",
            ".page{fill:#fff}.axis{stroke:#57606a;fill:none}.grid{stroke:#d8dee4;fill:none}",
            ".limit{stroke:#cf222e;stroke-dasharray:5 4}.line{fill:none;stroke-width:2}",
            light,
            "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}",
            ".axis{stroke:#9198a1}.grid{stroke:#30363d}.limit{stroke:#ff7b72}",
            dark + "}",
            "</style>",
            f'<rect class="page" width="{width}" height="{height}"/>',
        ]

    def add(self, part):
        self.parts.append(part)

    def text(self, x, y, text, anchor="middle", css="", turn=0):
        css = f' class="{css}"' if css else ""
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        self.add(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{css}{turned}>{text}</text>')

    def rule(self, x1, y1, x2, y2, css):
        self.add(f'<path class="{css}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>')

    def legend(self, names, y):
        x = 60
        for i, name in enumerate(names):
            self.stroke(i, [(x, y), (x + 26, y)])
            self.text(x + 33, y + 4, name, "start")
            x += 33 + 7 * len(name) + 24

    def stroke(self, i, points):
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dash = f' stroke-dasharray="{DASHES[i]}"' if DASHES[i] else ""
        self.add(f'<path class="line l{i}"{dash} d="M{path}"/>')

    def write(self, path):
        path.write_text("\n".join([*self.parts, "</svg>"]) + "\n", encoding="utf-8")


class Panel:
    """A box of a drawing with axes: x in steps 0, 1, 2, ..., y from low to high."""

    def __init__(self, drawing, box, labels, low, high, step):
        self.drawing = drawing
        self.left, self.top, self.width, self.height = box
        self.count, self.low, self.high = len(labels), low, high
        for k in range(round((high - low) / step) + 1):
            value = low + k * step
            drawing.rule(self.left, self.y(value), self.left + self.width, self.y(value), "grid")
            drawing.text(self.left - 7, self.y(value) + 4, f"{value:g}", "end")
        bottom = self.top + self.height
        for i, label in enumerate(labels):
            if not label:
                continue
            drawing.rule(self.x(i), bottom, self.x(i), bottom + 4, "axis")
            drawing.text(self.x(i), bottom + 17, label)
        drawing.add(f'<path class="axis" d="M{self.left} {self.top}V{bottom}H{self.left + self.width}"/>')

    def x(self, i):
        return self.left + self.width * (i + 0.5) / self.count

    def y(self, value):
        return self.top + self.height * (self.high - value) / (self.high - self.low)

    def names(self, head, x_name, y_name):
        d = self.drawing
        d.text(self.left + self.width / 2, self.top - 9, head, css="head")
        d.text(self.left + self.width / 2, self.top + self.height + 36, x_name)
        if y_name:
            d.text(self.left - 40, self.top + self.height / 2, y_name, turn=-90)

    def line(self, i, values):
        points = [(self.x(k), self.y(value)) for k, value in enumerate(values) if value is not None]
        self.drawing.stroke(i, points)
        for x, y in points:
            self.drawing.add(f'<circle class="m{i}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>')


def draw_load(tables, path):
    drawing = Drawing(960, 370, "Load-balancing efficiency of the partitioning strategies")
    series = ["equal", "tokens", "strategy_1", "strategy_2"]
    drawing.legend(["equal (strategy 3)", "tokens (strategy 1, rounded to partitions)",
                    "model of strategy 1", "model of strategy 2"], 22)
    panels = [("0 ", "uniform requests"), ("0.7 ", "Zipf, exponent 0.7"),
              ("0.99 ", "Zipf, exponent 0.99")]
    for k, (exponent, head) in enumerate(panels):
        table = find(tables, f"efficiency exponent={exponent}")
        entries = [int(cell) for cell in table.column("entries")]
        labels = [f"{e // 1024}k" if e >= 1024 else str(e) for e in entries]
        labels = [label if i % 3 == 0 else "" for i, label in enumerate(labels)]
        panel = Panel(drawing, (60 + 307 * k, 65, 262, 250), labels, 0, 1, 0.2)
        panel.names(head, "entries of metadata at each node", "mean load / maximum" if k == 0 else "")
        for i, name in enumerate(series):
            panel.line(i, table.numbers(name))
    drawing.write(path)


def draw_movement(tables, path):
    drawing = Drawing(960, 640, "What joins and leaves move, and how even the ring is afterwards")
    kinds = [("equal partitions=1024", "equal"), ("tokens-1 ", "1 token"),
             ("tokens-16 ", "16 tokens"), ("tokens-64 ", "64 tokens"),
             ("tokens-by-default ", "64 tokens, 256 partitions")]
    drawing.legend([name for _, name in kinds], 22)
    found = [find(tables, f"movement placement={title}") for title, _ in kinds]
    labels = [cell.replace("->", "\u2192") for cell in found[0].column("change")]
    moved = Panel(drawing, (60, 65, 885, 220), labels, 0, 3.5, 0.5)
    moved.names("data moved", "members before and after", "over the least possible")
    even = Panel(drawing, (60, 360, 885, 220), labels, 0, 1, 0.2)
    even.names("load", "members before and after", "mean load / maximum")
    for i, table in enumerate(found):
        moved.line(i, table.numbers("moved/held"))
        even.line(i, table.numbers("mean/max_load"))
    drawing.write(path)


def draw_gossip(tables, path):
    drawing = Drawing(720, 400, "How gossip spreads what one member knows")
    table = find(tables, "course of it")
    sizes = table.columns[1:]
    drawing.legend([f"{size} members" for size in sizes], 22)
    panel = Panel(drawing, (60, 65, 640, 280), table.column("round"), 0, 1, 0.2)
    panel.names("news that one member has, by gossip alone", "rounds of gossip, one each second",
                "share of the members that knows")
    drawing.rule(panel.x(15), panel.top, panel.x(15), panel.top + panel.height, "limit")
    drawing.text(panel.x(15) - 6, panel.top + panel.height - 10, "all must know by here", "end")
    for i, size in enumerate(sizes):
        panel.line(i, table.numbers(size))
    drawing.write(path)


def fill_in(tables, path):
    def block(match):
        table = find(tables, match.group(1))
        return f"<!-- table: {match.group(1)} -->\n```text\n" + "\n".join(table.lines) + "\n```\n"

    text = path.read_text(encoding="utf-8")
    text = re.sub(r"^<!-- table: (.*?) -->\n```text\n(?:.*\n)*?```\n", block, text, flags=re.M)
    path.write_text(text, encoding="utf-8")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tables = read_tables(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    docs = pathlib.Path(sys.argv[2])
    draw_load(tables, docs / "ring-load.svg")
    draw_movement(tables, docs / "ring-movement.svg")
    draw_gossip(tables, docs / "ring-gossip.svg")
    fill_in(tables, docs / "ring-lab.md")


if __name__ == "__main__":
    main()
