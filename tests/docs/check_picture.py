#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whether benchmarks/plot.py draws what ./bench --json has measured.

    check_picture.py ROOT

tests/docs/bench.json has three ratios in two groups. Their bars, numbers and aims are looked for,
and those of several runs. The picture in docs/ must be XML, and each aim that of a measurement.
"""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def plot(root, *files):
    return subprocess.run([sys.executable, f"{root}/benchmarks/plot.py", *files],
                          capture_output=True, text=True, check=False)


def of_class(picture, tag, name):
    return [one for one in picture.iter(SVG + tag) if name in one.get("class", "").split()]


def texts(picture, name):
    return [one.text for one in of_class(picture, "text", name)]


def check_one_run(root, path):
    """The bars are at the left of the line at 1 where the ratio is less, else at the right."""
    picture = ET.fromstring(plot(root, path).stdout)
    bars = of_class(picture, "rect", "bar")
    one = float(of_class(picture, "line", "one")[0].get("x1"))
    width = float(picture.get("width"))
    check(len(bars) == 3, f"{len(bars)} bars, not 3")
    check(texts(picture, "number") == ["1/50", "3.00", "9,000"], "numbers")
    check("Mapped BARs <of dextd & others>" in texts(picture, "title"), "the title of a group")
    for bar, less in zip(bars, (True, False, False)):
        left, right = float(bar.get("x")), float(bar.get("x")) + float(bar.get("width"))
        check(abs((right if less else left) - one) < 0.2, "a bar that does not begin at 1")
        check(0 < left < right < width, "a bar outside of the picture")
    # The first one explains the others.
    aims = [float(aim.get("x1")) for aim in of_class(picture, "line", "aim")][1:]
    check(len(aims) == 2 and aims[0] < one < aims[1], "aims 1/60 and 2")


def check_table(root, path):
    rows = plot(root, "--table", path).stdout.splitlines()
    for row in ("| config read, dextd | 1/50 | 1/60 |", "| **Mapped BARs <of dextd & others>** | | |",
                "| read of it by a message instead | 9,000 |  |"):
        check(row in rows, f"the row {row} of the table")


def check_several_runs(root, path):
    """The ratios 3, 5 and 4 of three runs: 4."""
    with open(path, encoding="utf-8") as file:
        run = json.load(file)
    with tempfile.TemporaryDirectory() as folder:
        others = []
        for ratio in (5, 4):
            run["groups"][0]["cases"][2]["ratio_p50"] = ratio
            others.append(os.path.join(folder, f"{ratio}.json"))
            with open(others[-1], "w", encoding="utf-8") as file:
                json.dump(run, file)
        picture = ET.fromstring(plot(root, path, *others).stdout)
    check(texts(picture, "number") == ["1/50", "4.00", "9,000"], "the median of three runs")


def check_bad_input(root, path):
    with tempfile.TemporaryDirectory() as folder:
        bad = os.path.join(folder, "bad.json")
        for content in ("", "[1]", '{"groups": [{}]}', '{"groups": [{"name": "n", "title": "t", '
                        '"cases": [{"name": "c", "reference": "r", "ratio_p50": -1}]}]}'):
            with open(bad, "w", encoding="utf-8") as file:
                file.write(content)
            done = plot(root, path, bad)
            check(done.returncode == 1 and done.stdout == "" and
                  done.stderr.startswith("dextpci: ") and done.stderr.count("\n") == 1,
                  f"one line about {content!r}")
        done = plot(root, os.path.join(folder, "missing.json"))
        check(done.returncode == 1 and done.stderr.endswith("missing.json: No such file or directory\n"),
              "one line about a missing file")


def check_aims(root):
    """An aim whose measurement has another name now would not be drawn."""
    sys.path.insert(0, f"{root}/benchmarks")
    import plot as module # pylint: disable=import-outside-toplevel
    folder, sources = f"{root}/benchmarks", ""
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".c") or path != folder:
                with open(os.path.join(path, name), encoding="utf-8") as file:
                    sources += file.read()
    for group, case in module.AIMS:
        name = case.removesuffix(", default options") if group == "guest" else f'"{case}"'
        check(name in sources, f"the aim of {group}, {case}: no such measurement")


def main():
    root = sys.argv[1]
    path = f"{root}/tests/docs/bench.json"
    check_one_run(root, path)
    check_table(root, path)
    check_several_runs(root, path)
    check_bad_input(root, path)
    check_aims(root)
    check(len(of_class(ET.parse(f"{root}/docs/benchmarks.svg").getroot(), "rect", "bar")) > 10,
          "docs/benchmarks.svg is not the picture of a run")
    for failure in failures:
        print(f"picture: {failure}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
