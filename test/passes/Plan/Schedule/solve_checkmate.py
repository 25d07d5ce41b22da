#!/usr/bin/env python3
"""Makes training graphs and solves Checkmate's MILP on them (arXiv 1910.02653,
section 4), for ScheduleTest: the seconds that an optimal schedule takes in a
given number of bytes. Not run by the tests; needs `pip install highspy numpy`.

Usage: solve_checkmate.py FOLDER      one file an instance, NAME.txt:
  tasks values                        counts
  bytes                               of each value
  seconds n read... made              of each task
  budget seconds                      of each solved budget
"""
import os
import sys

import highspy
import numpy


class Graph:
    """Tasks that read values and make one each; value i is made by task i."""

    def __init__(self):
        self.bytes, self.seconds, self.reads = [], [], []

    def add(self, size, seconds, *reads):
        self.bytes.append(size)
        self.seconds.append(seconds)
        self.reads.append(list(dict.fromkeys(reads)))
        return len(self.bytes) - 1

    def peak(self):
        """Bytes at the fullest moment when everything is kept."""
        last = list(range(len(self.bytes)))
        for task, reads in enumerate(self.reads):
            for read in reads:
                last[read] = task
        return max(sum(size for value, size in enumerate(self.bytes)
                       if value <= task <= last[value])
                   for task in range(len(self.bytes)))


def train(forward):
    """Adds the loss and a backward task for each forward task, which reads the
    gradients of its output and what it read itself."""
    graph = Graph()
    for size, seconds, reads in forward:
        graph.add(size, seconds, *reads)
    count = len(forward)
    readers = [[t for t in range(count) if v in forward[t][2]]
               for v in range(count)]
    gradient = {}
    loss = graph.add(1, 1, count - 1)
    for task in reversed(range(count)):
        size, seconds, reads = forward[task]
        above = [gradient[t] for t in readers[task] if t in gradient] or [loss]
        gradient[task] = graph.add(sum(graph.bytes[r] for r in reads) or size,
                                   2 * seconds, *above, *reads)
    return graph


def transformer(layers):
    steps = [(16, 1), (48, 48), (16, 20), (16, 16), (16, 1),
             (16, 1), (64, 64), (64, 2), (16, 64), (16, 1)]
    forward = []
    for layer in range(layers):
        start = len(forward)
        for i, (size, seconds) in enumerate(steps):
            reads = [start + i - 1] if start + i else []
            if i == 4 and start:
                reads.append(start - 1)
            if i == 9:
                reads.append(start + 4)
            forward.append((size, seconds, reads))
    return train(forward)


def random_graph(seed, count):
    random = numpy.random.RandomState(seed)
    forward = []
    for task in range(count):
        reads = [task - 1] if task else []
        if task > 2 and random.rand() < 0.4:
            reads.append(int(random.randint(0, task - 1)))
        forward.append((int(random.randint(1, 9)) * 8,
                        int(random.randint(1, 40)), reads))
    return train(forward)


def unet(depth):
    forward = [(64, 8, [])]
    down = [0]
    for level in range(depth):
        forward.append((64 >> level, 16, [len(forward) - 1]))
        down.append(len(forward) - 1)
    for level in reversed(range(depth)):
        forward.append((64 >> level, 24, [len(forward) - 1, down[level]]))
    return train(forward)


def towers(length):
    forward = [(16, 4, [])]
    ends = []
    for tower in range(2):
        at = 0
        for i in range(length):
            forward.append((16 + 24 * (i % 2), 6 + 10 * tower, [at]))
            at = len(forward) - 1
        ends.append(at)
    forward.append((16, 8, ends))
    return train(forward)


class Model:
    """A MILP, row by row."""

    def __init__(self):
        self.cost, self.lower, self.upper, self.whole = [], [], [], []
        self.rows = []

    def variable(self, lower, upper, cost=0.0, whole=True):
        self.cost.append(cost)
        self.lower.append(lower)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.cost) - 1

    def row(self, lower, upper, terms):
        self.rows.append((lower, upper, terms))

    def solve(self, limit):
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self.cost), len(self.rows)
        lp.col_cost_ = numpy.array(self.cost, float)
        lp.col_lower_ = numpy.array(self.lower, float)
        lp.col_upper_ = numpy.array(self.upper, float)
        lp.row_lower_ = numpy.array([r[0] for r in self.rows], float)
        lp.row_upper_ = numpy.array([r[1] for r in self.rows], float)
        starts, columns, values = [0], [], []
        for _, _, terms in self.rows:
            merged = {}
            for column, value in terms:
                merged[column] = merged.get(column, 0) + value
            columns += merged.keys()
            values += merged.values()
            starts.append(len(columns))
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = numpy.array(starts)
        lp.a_matrix_.index_ = numpy.array(columns)
        lp.a_matrix_.value_ = numpy.array(values, float)
        kinds = highspy.HighsVarType
        lp.integrality_ = [kinds.kInteger if whole else kinds.kContinuous
                           for whole in self.whole]
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("threads", 1)
        highs.setOptionValue("time_limit", float(limit))
        highs.setOptionValue("mip_rel_gap", 0.001)
        highs.passModel(lp)
        highs.run()
        status = highs.modelStatusToString(highs.getModelStatus())
        if status != "Optimal":
            return None
        return highs.getInfo().objective_function_value


def checkmate(graph, budget, limit):
    """R[t, i]: task i runs in stage t; S[t, i]: its value is kept into stage t;
    F[t, i, k]: it is freed behind task k; U[t, k]: bytes during task k."""
    count = len(graph.bytes)
    infinite = highspy.kHighsInf
    readers = [[t for t in range(count) if v in graph.reads[t]]
               for v in range(count)]
    model, run, keep, free, used = Model(), {}, {}, {}, {}
    for t in range(count):
        for i in range(t + 1):
            run[t, i] = model.variable(int(i == t), 1, graph.seconds[i])
            used[t, i] = model.variable(0, budget, whole=False)
            for v in graph.reads[i] + [i]:
                free[t, v, i] = model.variable(0, 1)
        for i in range(t):
            keep[t, i] = model.variable(0, 1)
    for t in range(count):
        for i in range(t):
            terms = [(keep[t, i], 1), (run[t - 1, i], -1)]
            if (t - 1, i) in keep:
                terms.append((keep[t - 1, i], -1))
            model.row(-infinite, 0, terms)
        for i in range(t + 1):
            for v in graph.reads[i]:
                terms = [(run[t, i], 1), (run[t, v], -1)]
                if (t, v) in keep:
                    terms.append((keep[t, v], -1))
                model.row(-infinite, 0, terms)
            for v in graph.reads[i] + [i]:
                terms, most = [(run[t, i], -1)], 2
                if (t + 1, v) in keep:
                    terms.append((keep[t + 1, v], 1))
                    most += 1
                for reader in readers[v]:
                    if i < reader <= t:
                        terms.append((run[t, reader], 1))
                        most += 1
                model.row(0, infinite, [(free[t, v, i], 1)] + terms)
                model.row(-infinite, most - 1, [(free[t, v, i], most)] + terms)
        model.row(0, 0, [(used[t, 0], 1), (run[t, 0], -graph.bytes[0])] +
                  [(keep[t, i], -graph.bytes[i]) for i in range(t)])
        for i in range(t):
            terms = [(used[t, i + 1], 1), (used[t, i], -1),
                     (run[t, i + 1], -graph.bytes[i + 1])]
            for v in graph.reads[i] + [i]:
                terms.append((free[t, v, i], graph.bytes[v]))
            model.row(0, 0, terms)
    return model.solve(limit)


def main(folder):
    graphs = {"transformer-1": transformer(1), "transformer-2": transformer(2),
              "unet-4": unet(4), "towers-5": towers(5),
              "unet-3": unet(3), "towers-3": towers(3)}
    for seed in range(6):
        graphs[f"random-{seed}"] = random_graph(seed, 10)
    for name, graph in graphs.items():
        peak = graph.peak()
        lines = []
        for percent in (90, 80, 75, 70, 65, 60, 55, 50):
            budget = peak * percent // 100
            seconds = checkmate(graph, budget, 40)
            print(name, percent, budget, seconds, flush=True)
            if seconds is not None:
                lines.append(f"{budget} {round(seconds, 6):g}")
        with open(os.path.join(folder, name + ".txt"), "w") as out:
            count = len(graph.bytes)
            print(count, count, file=out)
            print("\n".join(map(str, graph.bytes)), file=out)
            for task in range(count):
                reads = graph.reads[task]
                print(graph.seconds[task], len(reads), *reads, task, file=out)
            print("\n".join(lines), file=out)


if __name__ == "__main__":
    main(sys.argv[1])
