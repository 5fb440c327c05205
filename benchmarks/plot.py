#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The ratios of ./bench --json as an SVG, or as a Markdown table.

    plot.py FILE... >docs/benchmarks.svg
    plot.py --table FILE...

Each measurement that has a reference is a row: a bar from 1, where it takes as long as its
reference, to its ratio. The scale is logarithmic and ends at 1/100 and 10; the number beside the
bar is exact. A measurement that occurs in several files, which are then several runs, has the
median of its ratios. A tick is the aim of this measurement.
"""
import json
import math
import statistics
import sys
from xml.sax.saxutils import escape

# Group, measurement, the largest ratio aimed at.
AIMS = {
    ("messages", "config read, dextd"): 1 / 60,
    ("messages", "config block of 4 KiB, to one read"): 2,
    ("messages", "BAR region read, dext-vfio-user"): 0.35,
    ("messages-after-pause", "config read, dextd, after a second"): 1.1,
    ("messages-one-core", "BAR region read, dext-vfio-user"): 1.3,
    ("dma", "by descriptor and back, of 65,536"): 1.2,
    ("dma-map", "DMA_MAP of 64 KiB, 2,000 live"): 1,
    ("dma-map", "DMA_UNMAP of it"): 1,
    ("dma-map-one-core", "DMA_MAP of 64 KiB, 2,000 live"): 1.6,
    ("dma-map-one-core", "DMA_UNMAP of it"): 1.6,
    ("wake-ups", "interrupt: device to handler"): 1.3,
    ("wake-ups", "interrupt: device to eventfd"): 1.15,
    ("guest", "sequential read, 1 MiB, default options"): 1 / 1.2,
    ("guest", "sequential write, 1 MiB, default options"): 1 / 1.2,
    ("guest", "random read, 4 KiB, QD1, default options"): 1 / 1.1,
    ("guest", "random write, 4 KiB, QD1, default options"): 1 / 1.1,
    ("guest", "random read, 4 KiB, QD32, default options"): 1 / 1.5,
    ("guest", "random write, 4 KiB, QD32, default options"): 1 / 1.5,
}

LOWEST, HIGHEST = 0.01, 10
GRID = ((0.01, "1/100"), (0.1, "1/10"), (1, "1"), (10, "10"))
WIDTH, NAMES, NUMBERS, ROW = 860, 320, 70, 20 # of the picture, of its columns, and a row's height
HEAD = 62

STYLE = """
text { font: 13px sans-serif; fill: #222 }
.title { font-weight: bold }
.number, .name { text-anchor: end }
.scale { font-size: 11px; fill: #666; text-anchor: middle }
.grid { stroke: #ddd }
.one { stroke: #222 }
.aim { stroke: #000; stroke-width: 2 }
.less { fill: #4a8fc7 }
.more { fill: #d98a3d }
"""


class Problem(Exception):
    """A file that is not what ./bench --json prints."""


def read(path):
    """A file's groups, as lists of a name, a title, and pairs of a measurement and its ratio."""
    try:
        with open(path, encoding="utf-8") as file:
            groups = json.load(file)["groups"]
        return [(group["name"], group["title"],
                 [(case["name"], float(case["ratio_p50"])) for case in group["cases"]
                  if "reference" in case]) for group in groups]
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Problem(f"{path}: not the output of ./bench --json") from error


def merge(files):
    """The groups of several files: titles, and for each measurement the ratios of all files."""
    titles, ratios = {}, {}
    for name, title, cases in (group for file in files for group in file):
        titles[name] = title
        for case, ratio in cases:
            if not 0 < ratio < math.inf:
                raise Problem(f"{name}, {case}: {ratio} is not a ratio")
            ratios.setdefault((name, case), []).append(ratio)
    return titles, {key: statistics.median(values) for key, values in ratios.items()}


def x_of(ratio):
    part = math.log(min(max(ratio, LOWEST), HIGHEST) / LOWEST) / math.log(HIGHEST / LOWEST)
    return NAMES + part * (WIDTH - NAMES - NUMBERS)


def text(kind, x, y, content):
    return f'<text class="{kind}" x="{x:.1f}" y="{y}">{escape(content)}</text>'


def line(kind, x, top, bottom):
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>'


def number(ratio):
    return f"1/{1 / ratio:.0f}" if ratio < 0.1 else f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def row(key, ratio, y):
    """A measurement's name, bar, number and aim; @y is the top of the row."""
    left, right = sorted((x_of(1), x_of(ratio)))
    kind = "less" if ratio <= 1 else "more"
    parts = [text("name", NAMES - 10, y + 14, key[1]),
             f'<rect class="bar {kind}" x="{left:.1f}" y="{y + 3}" '
             f'width="{max(right - left, 1):.1f}" height="{ROW - 6}"/>',
             text("number", WIDTH - 10, y + 14, number(ratio))]
    if key in AIMS:
        parts.append(line("aim", x_of(AIMS[key]), y + 1, y + ROW - 1))
    return parts


def picture(titles, ratios):
    rows, y = [], HEAD
    for name, title in titles.items():
        keys = [key for key in ratios if key[0] == name]
        if not keys:
            continue
        rows.append(text("title", 10, y + 20, title))
        y += 28
        for key in keys:
            rows += row(key, ratios[key], y)
            y += ROW
    scale = [text("title", 10, 20, "Time of each measurement, in times of that of its reference "
                  "(median; less is faster)"),
             line("aim", 15, 32, 46), text("legend", 25, 44, "aim: at most this")]
    for ratio, label in GRID:
        scale += [line("one" if ratio == 1 else "grid", x_of(ratio), HEAD, y + 4),
                  text("scale", x_of(ratio), HEAD - 4, label)]
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 12}" '
         f'viewBox="0 0 {WIDTH} {y + 12}">', f"<style>{STYLE}</style>",
         '<rect width="100%" height="100%" fill="#fff"/>'] + scale + rows + ["</svg>"])


def table(titles, ratios):
    rows = ["| measurement | ratio | aim |", "|---|---|---|"]
    for name, title in titles.items():
        keys = [key for key in ratios if key[0] == name]
        if keys:
            rows.append(f"| **{title}** | | |")
        rows += [f"| {key[1]} | {number(ratios[key])} | "
                 f"{number(AIMS[key]) if key in AIMS else ''} |" for key in keys]
    return "\n".join(rows)


def main():
    arguments, draw = sys.argv[1:], picture
    if arguments[:1] == ["--table"]:
        arguments, draw = arguments[1:], table
    if not arguments:
        sys.exit("dextpci: plot.py: expected files of ./bench --json")
    try:
        print(draw(*merge([read(path) for path in arguments])))
    except Problem as problem:
        sys.exit(f"dextpci: {problem}")


if __name__ == "__main__":
    main()
