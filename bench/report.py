# SPDX-License-Identifier: MIT
"""What came out, for people: the table, the plots, and docs/performance.md, which has both. A ratio of runs that
differ too much is not called."""


MOST_SPREAD = 0.25  # runs that differ by more say nothing


def comparable(row):
    """Whether its runs agree well enough for a ratio. A figure without another beside it is not compared."""
    return row["theirs"] is None or max(row["our_spread"], row["their_spread"]) <= MOST_SPREAD


def reached(row):
    def good(value):
        return value <= row["goal"] if row["lower_is_better"] else value >= row["goal"]
    if not comparable(row):
        return f"— (runs differ: ours by {row['our_spread']:.0%}, theirs by {row['their_spread']:.0%})"
    if row["goal"] is None:
        return "—"
    if row["theirs"] is None and row["our_spread"] > MOST_SPREAD and len({good(run) for run in row["our_runs"]}) > 1:
        return f"— (runs differ by {row['our_spread']:.0%})"
    return "yes" if good(row["value"]) else "**no**"


def table(rows):
    def number(value):
        if value is None:
            return "—"
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    lines = ["| work | measure | ours | theirs | ours ÷ theirs | goal | reached |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        sign = "≤" if row["lower_is_better"] else "≥"
        ratio = "—" if row["theirs"] is None else number(row["value"]) if comparable(row) else "not comparable"
        goal = "—" if row["goal"] is None else f"{sign} {number(row['goal'])}"
        lines.append(f"| {row['work']} | {row['measure']} | {number(row['ours'])} | {number(row['theirs'])} | "
                     f"{ratio} | {goal} | {reached(row)} |")
    return "\n".join(lines) + "\n"


def page(machine, rows):
    """The machine, and a table for each section."""
    parts = [machine]
    for section in dict.fromkeys(row["section"] for row in rows):
        title = f"**{section}**\n\n" if section else ""
        parts.append(title + table([row for row in rows if row["section"] == section]))
    return "\n".join(parts)


def draw(rows, raw, folder):
    """The plots: how a fire's cost grows, and the ratios beside their goals."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "action_triggers"
    from matplotlib import pyplot
    folder.mkdir(parents=True, exist_ok=True)
    curves = raw["curves"]
    titles = {"threads": "threads that fire", "names": "destinations on a connection", "size": "bytes of a body",
              "count": "messages in a run"}
    figure, places = pyplot.subplots(1, len(curves) + 1, figsize=(17, 3.2), constrained_layout=True)
    for place, (axis, points) in zip(places, curves.items()):
        at = [point["at"] for point in points]
        for key, label in (("p50_ns", "a fire, p50"), ("p99_ns", "a fire, p99"), ("sustained_ns", "sustained")):
            there = [(x, point[key]) for x, point in zip(at, points) if point[key] is not None]
            if there:
                place.plot(*zip(*there), marker="o", label=label)
        place.set(xscale="log", yscale="log", xlabel=titles[axis], ylabel="ns")
        place.legend()
    for name in ("Kafka", "RabbitMQ"):
        there = [(point["at"], point["us"]) for point in raw["in flight"] if point["broker"] == name]
        places[-1].plot(*zip(*there), marker="o", label=f"{name}, one node")
    places[-1].set(xscale="log", yscale="log", xlabel="unconfirmed at once", ylabel="µs a confirmed message")
    places[-1].legend()
    figure.savefig(folder / "curves.svg", metadata={"Date": None})
    ratios = [row for row in rows
              if row["theirs"] is not None and row["goal"] and row["goal"] <= 2 and comparable(row)]
    figure, place = pyplot.subplots(figsize=(9, 0.4 * len(ratios) + 1), constrained_layout=True)
    place.barh([row["work"].replace("`", "") for row in ratios], [row["value"] for row in ratios])
    for index, row in enumerate(ratios):
        place.plot([row["goal"]] * 2, [index - 0.4, index + 0.4], color="black")
    place.axvline(1.0, color="grey", linewidth=0.8)
    place.invert_yaxis()
    place.set(xlabel="ours ÷ raw client library (black: the goal)")
    figure.savefig(folder / "ratios.svg", metadata={"Date": None})


def write_page(page, text, mark="results"):
    """Puts the text between the page's marks of that name."""
    before, rest = page.read_text(encoding="utf-8").split(f"<!-- {mark} -->\n")
    after = rest.split("<!-- end -->", 1)[1]
    page.write_text(f"{before}<!-- {mark} -->\n{text}<!-- end -->{after}", encoding="utf-8")
