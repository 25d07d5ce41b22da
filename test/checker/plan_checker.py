#!/usr/bin/env python3
"""Replays an artifact's schedule over intervals and bytes.

Usage: plan_checker.py MANIFEST.json

The planner's claims are the `values` table of each function: which bytes each
value owns and from which step to which. The checker knows nothing of how the
plan was made. It flattens the program, works out from the kernels' access
lists what every step reads and writes, and demands:

  space     nothing lies outside its memory space, offsets are aligned to 64
  overlap   no two values that live at the same time share a byte
  in place  a step writes over what it reads only where the kernel's list of
            such pairs has the two, and then over all of it
  owner     whatever a step reads or writes belongs to one value that is alive
  written   every byte that is read was written before, by its present owner
  claims    a value's first write and last use are where the table says
  state     old state is not written before its last read; each state value
            that has a new value is written completely
  output    every output is written completely
  peak      the arena and the host space are as large as the table needs, no
            larger, no smaller
  race      while a copy that was started may be running, no step writes what
            it reads or touches what it writes; each is waited for once, in its
            own list of steps, while its values live; kernels and fills keep
            off the host space

Exit code 0 and one line per function if all hold, 1 and one message at the
first violation, 2 for usage. Needs Python 3 only.
"""

import json
import sys

SPACES = ("state", "arena", "input", "output", "constant", "host")
# Sized by what lies in them.
PACKED = ("arena", "host")
ALIGNMENT = 64


class Violation(Exception):
    """The plan breaks a rule."""


def fail(message):
    raise Violation(message)


class Bytes:
    """A map from the bytes of a space to the value that last wrote them."""

    def __init__(self):
        self.runs = []  # sorted, disjoint [start, end, owner]

    def write(self, start, end, owner):
        """Gives [start, end) to `owner`."""
        kept = []
        for s, e, o in self.runs:
            if e <= start or s >= end:
                kept.append([s, e, o])
                continue
            if s < start:
                kept.append([s, start, o])
            if e > end:
                kept.append([end, e, o])
        kept.append([start, end, owner])
        kept.sort()
        self.runs = kept

    def owned(self, start, end, owner):
        """The first byte of [start, end) not written by `owner`, or None."""
        at = start
        for s, e, o in self.runs:
            if e <= at:
                continue
            if s > at or o != owner:
                return at
            at = e
            if at >= end:
                return None
        return at if at < end else None


class Access:
    """Bytes that one flattened step touches: r, w, or rw (read, then write)."""

    def __init__(self, space, start, size, mode, what):
        self.space, self.start, self.end = space, start, start + size
        self.mode, self.what = mode, what

    def overlaps(self, other):
        return self.space == other.space and self.start < other.end and \
            other.start < self.end

    def __str__(self):
        return f"{self.space}[{self.start}:{self.end}]"


class Step:
    """One flattened step; `starts` is the token of a copy that goes on beside
    the next steps, `waits` the tokens that it waits for."""

    def __init__(self, what, accesses, starts=None, waits=(), in_place=()):
        self.what, self.accesses = what, accesses
        # Pairs of accesses, read and written, that may be the same bytes.
        self.in_place = {tuple(pair) for pair in in_place}
        self.starts, self.waits = starts, waits


class Flight:
    """A copy that was started: what it touches and whose that is."""

    def __init__(self, number, accesses, owners):
        self.number = number
        self.to, self.from_ = accesses
        self.to_owner, self.from_owner = owners


def place(argument, turn):
    """Space and offset of ["arena", offset] or ["arena", offset, stride]."""
    space, offset = argument[0], argument[1]
    stride = argument[2] if len(argument) > 2 else 0
    if space not in SPACES:
        fail(f"unknown memory space {space!r}")
    if offset % ALIGNMENT or stride % ALIGNMENT:
        fail(f"{space}[{offset}] with stride {stride} is not aligned")
    return space, offset + turn * stride


def flatten(program, kernels, turn=0, nested=False):
    """Yields every Step in the order they run."""
    started, waited = set(), set()
    for number, op in enumerate(program):
        kind = op.get("op")
        if kind == "repeat":
            if nested:
                fail("a repeat inside a repeat")
            for i in range(op["count"]):
                yield from flatten(op["body"], kernels, i, True)
            continue
        accesses, starts, waits, in_place = [], None, (), ()
        if kind == "launch":
            kernel = kernels[op["kernel"]]
            modes, sizes = kernel["access"], kernel["arg_bytes"]
            in_place = kernel.get("in_place", ())
            if not len(modes) == len(sizes) == len(op["args"]):
                fail(f"launch {number} of {kernel['symbol']}: {len(op['args'])}"
                     f" arguments, {len(modes)} accesses, {len(sizes)} sizes")
            what = f"launch of {kernel['symbol']}"
            for i, argument in enumerate(op["args"]):
                space, start = place(argument, turn)
                if modes[i] not in ("r", "w", "rw", "p"):
                    fail(f"{what}: unknown access {modes[i]!r}")
                mode = "w" if modes[i] == "p" else modes[i]
                accesses.append(Access(space, start, sizes[i], mode,
                                       f"{what}, argument {i}"))
        elif kind == "wait":
            what, waits = kind, op["tokens"]
            for token in waits:
                if token not in started or token in waited:
                    fail(f"wait {number}: nothing before it in its list of "
                         f"steps started token {token}, or it was waited for")
                waited.add(token)
        elif kind in ("copy", "copy_start", "fill"):
            what = kind
            space, start = place(op["to"], turn)
            accesses.append(Access(space, start, op["bytes"], "w", what))
            if kind == "copy_start":
                starts = op["token"]
                if starts in started:
                    fail(f"copy_start {number}: token {starts} is used twice")
                started.add(starts)
            if kind != "fill":
                space, start = place(op["from"], turn)
                accesses.append(Access(space, start, op["bytes"], "r", what))
        else:
            fail(f"unknown step {kind!r}")
        if kind in ("launch", "fill") and \
           any(access.space == "host" for access in accesses):
            fail(f"{what}: only copies reach the host space")
        yield Step(what, accesses, starts, waits, in_place)
    if started != waited:
        fail(f"nothing waits for the tokens {sorted(started - waited)}")


class Value:
    """A row of the planner's table."""

    def __init__(self, row, turn=0):
        self.name, self.space = row["name"], row["space"]
        self.start, self.end = row["offset"], row["offset"] + row["bytes"]
        later = turn * row.get("period", 0)
        self.first, self.last = row["first"] + later, row["last"] + later
        self.role = row.get("role", "")
        self.first_write = None
        self.last_use = None
        if self.space not in SPACES:
            fail(f"value {self.name}: unknown memory space {self.space!r}")
        if row["bytes"] < 1 or self.last < self.first:
            fail(f"value {self.name}: {row['bytes']} bytes, steps "
                 f"{self.first} to {self.last}")
        if self.start % ALIGNMENT:
            fail(f"value {self.name}: offset {self.start} is not aligned")

    def __str__(self):
        return (f"{self.name} ({self.space}[{self.start}:{self.end}], steps "
                f"{self.first} to {self.last})")


def check_overlap(values):
    """No two values share a byte while both live.

    A value may take the bytes of another in the very step that reads the other
    last (in place); whether a kernel may do that is checked per step.
    """
    for space in SPACES:
        # Sweep over steps; the set of living values stays small.
        rows = sorted((v for v in values if v.space == space),
                      key=lambda v: v.first)
        alive = []
        for value in rows:
            alive = [v for v in alive if v.last > value.first]
            for other in alive:
                if value.start < other.end and other.start < value.end:
                    fail(f"{value} and {other} overlap")
            alive.append(value)


def check_spaces(function, manifest, values):
    """Everything inside its space; the arena exactly as large as needed."""
    sizes = {"state": manifest.get("state_bytes", 0),
             "constant": manifest.get("constant_bytes", 0),
             "arena": function["arena_bytes"],
             "input": function.get("input_bytes", 0),
             "output": function.get("output_bytes", 0),
             "host": function.get("host_bytes", 0)}
    for value in values:
        if value.end > sizes[value.space] or value.start < 0:
            fail(f"{value} is outside the {sizes[value.space]} bytes of the "
                 f"{value.space}")
    for space in PACKED:
        peak = max((v.end for v in values if v.space == space), default=0)
        rounded = (peak + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        if sizes[space] not in (peak, rounded):
            fail(f"the {space} has {sizes[space]} bytes, its values need "
                 f"{peak}")
    return sizes


def check_tables(function, manifest, values, steps):
    """Inputs, outputs and state of the manifest are in the table."""
    for group, space in (("inputs", "input"), ("outputs", "output")):
        for row in function.get(group, []):
            if not any(v.space == space and v.start == row["offset"] and
                       v.end == row["offset"] + row["bytes"] for v in values):
                fail(f"{space} {row['name']} is not in the table of values")
    offsets = {(row["offset"], row["bytes"]): row["name"]
               for row in manifest.get("state", [])}
    for value in values:
        if value.space == "state" and \
           (value.start, value.end - value.start) not in offsets:
            fail(f"{value} is no entry of the state table")
        if value.space in ("input", "constant") and value.first != -1:
            fail(f"{value} is written by step {value.first}")
        if value.space == "output" and value.last != steps:
            fail(f"{value} is an output but ends before the program does")


def owner_of(index, access, step, mode):
    """The value that a step reads (alive, begun earlier) or writes."""
    found = None
    for value in index[access.space]:
        if access.start < value.start or access.end > value.end:
            continue
        if mode == "r":
            good = value.first < step <= value.last
        else:
            good = value.first <= step <= value.last
            # In the step where one value takes over, the new one is written.
            if found and good and value.first < found.first:
                continue
        if good:
            found = value
    return found


def check_races(name, accesses, flights):
    """A step keeps off what copies beside it use."""
    for access in accesses:
        for flight in flights.values():
            verb = "reads" if access.mode == "r" else "writes"
            if access.overlaps(flight.to):
                fail(f"{name}: {access.what} {verb} {access}, which the copy "
                     f"started in step {flight.number} may be writing")
            if access.mode != "r" and access.overlaps(flight.from_):
                fail(f"{name}: {access.what} writes {access}, which the copy "
                     f"started in step {flight.number} may be reading")


def check_wait(number, tokens, flights, memory):
    """The copies are made: what they wrote is there from here on."""
    for token in tokens:
        flight = flights.pop(token)
        for owner in (flight.to_owner, flight.from_owner):
            if owner.last < number:
                fail(f"step {number} (wait): a copy started in step "
                     f"{flight.number} may use {owner} after its end")
            owner.last_use = number
        memory[flight.to.space].write(flight.to.start, flight.to.end,
                                      flight.to_owner)


def check_step(number, step, index, memory, sizes, flights):
    """One flattened step: reads first, then writes."""
    what, accesses = step.what, step.accesses
    name = f"step {number} ({what})"
    owners = {}
    check_wait(number, step.waits, flights, memory)
    for access in accesses:
        if access.start < 0 or access.end > sizes[access.space]:
            fail(f"{name}: {access.space}[{access.start}:{access.end}] is "
                 f"outside the {sizes[access.space]} bytes of the "
                 f"{access.space}")
    for i, a in enumerate(accesses):
        for j, b in enumerate(accesses):
            if a is b or a.mode == "r" or a.space != b.space:
                continue
            if a.start < b.end and b.start < a.end and \
               ((a.start, a.end) != (b.start, b.end) or
                    (j, i) not in step.in_place):
                fail(f"{name}: {a.what} writes bytes of {b.what}")
    check_races(name, accesses, flights)
    for access in accesses:
        if access.mode == "w":
            continue
        # What is read and written is one value that some step began before.
        owner = owner_of(index, access, number, "r")
        if access.mode == "rw" and owner is None:
            owner = owner_of(index, access, number, "w")
        bytes_ = f"{access.space}[{access.start}:{access.end}]"
        if owner is None:
            fail(f"{name}: {access.what} reads {bytes_}, which no living value "
                 "owns")
        stale = memory[access.space].owned(access.start, access.end, owner)
        if stale is not None:
            fail(f"{name}: {access.what} reads {owner}, but its byte {stale} "
                 "was not written")
        owner.last_use = number
        owners[access] = owner
    for access in accesses:
        if access.mode == "r":
            continue
        if access.space in ("input", "constant"):
            fail(f"{name}: {access.what} writes to the {access.space}")
        owner = owner_of(index, access, number, "w")
        if owner is None:
            fail(f"{name}: {access.what} writes {access.space}[{access.start}:"
                 f"{access.end}], which no living value owns")
        if owner.first == -1:
            fail(f"{name}: {access.what} writes {owner}, which has no new "
                 "value")
        if owner.first_write is None:
            owner.first_write = number
        owner.last_use = number
        owners[access] = owner
        # Until its wait nobody owns what a copy writes.
        memory[access.space].write(access.start, access.end,
                                   owner if step.starts is None else None)
    if step.starts is not None:
        flights[step.starts] = Flight(number, accesses,
                                      [owners[access] for access in accesses])


def check_claims(values, memory, steps):
    """The table's first and last steps are the real ones."""
    for value in values:
        if value.first >= 0 and value.first_write != value.first:
            fail(f"{value} is first written by step {value.first_write}")
        if value.last == steps:
            missing = memory[value.space].owned(value.start, value.end, value)
            if missing is not None:
                fail(f"{value} outlives the program, but its byte {missing} "
                     "was not written or not kept")
        elif value.space in PACKED and value.last_use != value.last:
            fail(f"{value} is used last by step {value.last_use}")


def check_function(function, manifest, kernels):
    """All rules for one function; the number of steps and values."""
    steps = list(flatten(function["program"], kernels))
    values = [Value(row, turn) for row in function["values"]
              for turn in range(row.get("turns", 1))]
    sizes = check_spaces(function, manifest, values)
    check_tables(function, manifest, values, len(steps))
    check_overlap(values)
    index = {space: [v for v in values if v.space == space]
             for space in SPACES}
    memory = {space: Bytes() for space in SPACES}
    for value in values:
        if value.first == -1:
            memory[value.space].write(value.start, value.end, value)
    flights = {}
    for number, step in enumerate(steps):
        check_step(number, step, index, memory, sizes, flights)
    check_claims(values, memory, len(steps))
    return len(steps), len(values)


def check_manifest(manifest):
    """All functions of all targets; lines to print."""
    lines = []
    for target in manifest["targets"]:
        kernels = target["kernels"]
        for function in target["functions"]:
            try:
                steps, values = check_function(function, manifest, kernels)
            except Violation as violation:
                fail(f"{target['isa']}, {function['name']}: {violation}")
            lines.append(f"{target['isa']}, {function['name']}: {steps} steps, "
                         f"{values} values, arena of "
                         f"{function['arena_bytes']} bytes: good")
    return lines


def main(arguments):
    if len(arguments) != 2:
        print("usage: plan_checker.py MANIFEST.json", file=sys.stderr)
        return 2
    try:
        with open(arguments[1], encoding="utf-8") as file:
            manifest = json.load(file)
        for line in check_manifest(manifest):
            print(line)
    except Violation as violation:
        print(f"plan_checker: {violation}", file=sys.stderr)
        return 1
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        print(f"plan_checker: unreadable manifest: {type(error).__name__}: "
              f"{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
