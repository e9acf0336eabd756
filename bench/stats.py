# SPDX-License-Identifier: GPL-2.0-or-later
"""stats.py - medians, spreads, and the table that is printed."""
import statistics


def percentile(values, p):
    values = sorted(values)
    at = (len(values) - 1) * p / 100
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def number(x):
    """Three digits that mean something."""
    if x >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def duration(s):
    if s >= 1:
        return f"{number(s)} s"
    return f"{number(s * 1e3)} ms" if s >= 1e-3 else f"{number(s * 1e6)} us"


def spread(values):
    """Median (p10-p90)."""
    return f"{number(statistics.median(values))} ({number(percentile(values, 10))}-{number(percentile(values, 90))})"


class Table:
    """Rows of one figure; `command` repeats it."""

    def __init__(self, title, command, head):
        self.title, self.command, self.head, self.rows, self.notes = title, command, head, [], []

    def row(self, *cells):
        self.rows.append(cells)

    def note(self, text):
        self.notes.append(text)

    def show(self):
        rows = [self.head] + self.rows
        widths = [max(len(r[i]) for r in rows) for i in range(len(self.head))]
        print(f"\n### {self.title}\n\nRepeat: `{self.command}`\n")
        for i, r in enumerate(rows):
            print("| " + " | ".join(c.ljust(w) for c, w in zip(r, widths)) + " |")
            if i == 0:
                print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
        for n in self.notes:
            print(f"\n{n}")
        print(flush=True)


def times_row(table, name, values, base):
    """How many times as long as @base this took, round by round. Values in seconds."""
    ratios = [v / b for v, b in zip(values, base)]
    table.row(name, duration(statistics.median(values)),
              f"{duration(percentile(values, 10))}-{duration(percentile(values, 90))}", spread(ratios), str(len(values)))


TIMES_HEAD = ("", "median", "p10-p90", "times vmlane's, median (p10-p90) of each round's", "rounds")
