#!/usr/bin/env python3
"""The plan checker accepts a good manifest and finds each broken rule."""

import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import plan_checker  # noqa: E402


def value(name, space, offset, size, first, last, role=""):
    return {"name": name, "space": space, "offset": offset, "bytes": size,
            "first": first, "last": last, "role": role, "location": 0}


def good():
    """x -> h -> g -> loss; w is updated in place; accumulation in a repeat."""
    return {
        "format": 1, "state_bytes": 128, "constant_bytes": 64,
        "state": [{"name": "w", "role": "parameter", "dtype": "f32",
                   "shape": [16], "offset": 0, "bytes": 64},
                  {"name": "fixed", "role": "parameter", "dtype": "f32",
                   "shape": [16], "offset": 64, "bytes": 64}],
        "targets": [{
            "isa": "x86-64-v3", "code": "code.0",
            "kernels": [
                {"symbol": "k0", "access": ["r", "r", "w"],
                 "arg_bytes": [64, 64, 64]},
                {"symbol": "k1", "access": ["r", "rw"],
                 "arg_bytes": [64, 64]},
                {"symbol": "k2", "access": ["r", "r", "w"],
                 "arg_bytes": [64, 64, 64], "in_place": [[0, 2]]},
                {"symbol": "k3", "access": ["r", "p"],
                 "arg_bytes": [64, 128]}],
            "functions": [{
                "name": "step", "kind": "train", "arena_bytes": 192,
                "input_bytes": 192, "output_bytes": 64,
                "inputs": [{"name": "x", "offset": 0, "bytes": 192}],
                "outputs": [{"name": "loss", "role": "loss", "offset": 0,
                             "bytes": 64}],
                "program": [
                    # 0: h = f(fixed, constant)
                    {"op": "launch", "kernel": 0, "blocks": 1,
                     "args": [["state", 64], ["constant", 0], ["arena", 0]]},
                    # 1: g = 0
                    {"op": "fill", "to": ["arena", 64], "bytes": 64},
                    # 2, 3, 4: g += x[i]
                    {"op": "repeat", "count": 3, "body": [
                        {"op": "launch", "kernel": 1, "blocks": 1,
                         "args": [["input", 0, 64], ["arena", 64]]}]},
                    # 5: w = update(w, g), in place
                    {"op": "launch", "kernel": 2, "blocks": 1,
                     "args": [["state", 0], ["arena", 64], ["state", 0]]},
                    # 6: partials of h take the place of g
                    {"op": "launch", "kernel": 3, "blocks": 1,
                     "args": [["arena", 0], ["arena", 64]]},
                    # 7: loss = a part of the partials
                    {"op": "copy", "to": ["output", 0], "from": ["arena", 128],
                     "bytes": 64}],
                "values": [
                    value("x", "input", 0, 192, -1, 4, "input"),
                    value("c", "constant", 0, 64, -1, 0, "constant"),
                    value("fixed", "state", 64, 64, -1, 8, "parameter"),
                    value("w", "state", 0, 64, -1, 5, "parameter"),
                    value("w", "state", 0, 64, 5, 8, "parameter"),
                    value("h", "arena", 0, 64, 0, 6, "activation"),
                    value("g", "arena", 64, 64, 1, 5, "gradient"),
                    value("p", "arena", 64, 128, 6, 7, "partial"),
                    value("loss", "output", 0, 64, 7, 8, "loss")]}]}]}


class PlanChecker(unittest.TestCase):
    def setUp(self):
        self.manifest = good()
        target = self.manifest["targets"][0]
        self.kernels = target["kernels"]
        self.function = target["functions"][0]
        self.program = self.function["program"]

    def row(self, name, number=0):
        rows = [v for v in self.function["values"] if v["name"] == name]
        return rows[number]

    def rejects(self, text):
        with self.assertRaises(plan_checker.Violation) as caught:
            plan_checker.check_manifest(self.manifest)
        self.assertIn(text, str(caught.exception))
        self.assertIn("x86-64-v3, step: ", str(caught.exception))

    def test_good(self):
        self.assertEqual(plan_checker.check_manifest(self.manifest),
                         ["x86-64-v3, step: 8 steps, 9 values, arena of 192 "
                          "bytes: good"])

    def test_overlap(self):
        self.row("h")["offset"] = 64
        self.rejects("overlap")

    def test_value_lives_too_short(self):
        self.row("h")["last"] = 5
        self.rejects("no living value owns")

    def test_value_lives_too_long(self):
        self.row("g")["last"] = 7
        self.rejects("overlap")
        self.setUp()
        self.row("g")["last"] = 6
        self.rejects("g (arena[64:128], steps 1 to 6) is used last by step 5")
        self.setUp()
        self.row("h")["last"] = 7
        self.rejects("h (arena[0:64], steps 0 to 7) is used last by step 6")

    def test_first_write_is_wrong(self):
        self.row("h")["first"] = -1
        self.rejects("writes h (arena[0:64], steps -1 to 6), which has no new")
        self.setUp()
        self.row("g")["first"] = 0
        self.rejects("g (arena[64:128], steps 0 to 5) is first written by "
                     "step 1")

    def test_read_before_write(self):
        # Without the fill the accumulation reads what nobody wrote.
        self.program[1]["to"] = ["arena", 128]
        self.rejects("which no living value owns")
        self.setUp()
        self.program[1]["bytes"] = 32
        self.rejects("its byte 96 was not written")

    def test_clobbered(self):
        # A second fill destroys h between its write and its read.
        self.program.insert(6, {"op": "fill", "to": ["arena", 0], "bytes": 64})
        for name, field in (("p", "first"), ("p", "last"), ("h", "last"),
                            ("loss", "first"), ("loss", "last"),
                            ("fixed", "last")):
            self.row(name)[field] += 1
        self.row("w", 1)["last"] += 1
        # Within h's life the fill is taken for a second write of h, so give it
        # to a value of its own, which is what a wrong plan would do.
        self.function["values"].append(value("z", "arena", 0, 64, 6, 6))
        self.rejects("overlap")

    def test_write_outside_of_the_value(self):
        self.kernels[0]["arg_bytes"][2] = 128
        self.rejects("argument 2 writes arena[0:128], which no living value")

    def test_outside_of_the_space(self):
        self.program[0]["args"][2] = ["arena", 192]
        self.rejects("outside the 192 bytes of the arena")

    def test_repeat_runs_out_of_the_input(self):
        self.program[2]["body"][0]["args"][0] = ["input", 0, 128]
        self.rejects("input[256:320] is outside the 192 bytes")

    def test_unaligned(self):
        self.program[1]["to"] = ["arena", 32]
        self.rejects("not aligned")

    def test_state_is_read_after_its_update(self):
        # The update moves before a step that still reads the old weights.
        self.kernels[3]["access"] = ["r", "p", "r"]
        self.kernels[3]["arg_bytes"] = [64, 128, 64]
        self.program[4]["args"].append(["state", 0])
        self.row("w")["last"] = 6
        self.rejects("overlap")

    def test_state_is_written_without_a_new_value(self):
        self.function["values"].remove(self.row("w", 1))
        self.row("w")["last"] = 8
        self.rejects("which has no new value")

    def test_state_is_written_in_part(self):
        self.kernels[2]["arg_bytes"] = [32, 64, 32]
        self.rejects("w (state[0:64], steps 5 to 8) outlives the program, but "
                     "its byte 32 was not written or not kept")

    def test_state_table(self):
        self.manifest["state"][1]["offset"] = 128
        self.rejects("is no entry of the state table")

    def test_in_place_where_the_kernel_does_not_allow_it(self):
        self.kernels[2]["in_place"] = [[1, 2], [2, 0]]
        self.rejects("argument 2 writes bytes of")
        del self.kernels[2]["in_place"]
        self.rejects("argument 2 writes bytes of")

    def test_overlapping_arguments_of_a_launch(self):
        self.program[0]["args"][0] = ["arena", 0]
        self.row("h")["first"] = -1
        self.kernels[0]["arg_bytes"][0] = 32
        self.rejects("writes bytes of")

    def test_input_is_written(self):
        self.program[1]["to"] = ["input", 64]
        self.rejects("fill writes to the input")

    def test_output_is_missing(self):
        self.program[5]["bytes"] = 32
        self.rejects("loss (output[0:64], steps 7 to 8) outlives the program, "
                     "but its byte 32")
        self.setUp()
        self.function["values"].remove(self.row("loss"))
        self.rejects("output loss is not in the table")

    def test_peak(self):
        self.function["arena_bytes"] = 256
        self.rejects("the arena has 256 bytes, its values need 192")
        self.setUp()
        self.function["arena_bytes"] = 128
        self.rejects("outside the 128 bytes of the arena")

    def test_argument_count(self):
        self.program[0]["args"].pop()
        self.rejects("2 arguments, 3 accesses")

    def repeated(self):
        """A sum over three micro-batches in a state, then divided."""
        kernels = [{"symbol": "add", "access": ["r", "r", "p"], "arg_bytes": [64, 64, 64],
                    "in_place": [[0, 2]]},
                   {"symbol": "scale", "access": ["r", "p"], "arg_bytes": [64, 64]}]
        body = [{"op": "launch", "kernel": 1, "args": [["input", 0, 64], ["arena", 0]]},
                {"op": "launch", "kernel": 0,
                 "args": [["state", 0], ["arena", 0], ["state", 0]]}]
        program = [{"op": "repeat", "count": 3, "body": body},
                   {"op": "launch", "kernel": 1, "args": [["state", 0], ["output", 0]]},
                   {"op": "fill", "to": ["state", 0], "bytes": 64}]
        values = [value("x", "input", 0, 192, -1, 4, "input"),
                  value("h", "arena", 0, 64, 0, 1, "activation"),
                  value("sum", "state", 0, 64, -1, 1, "accumulator"),
                  value("sum", "state", 0, 64, 1, 3, "accumulator"),
                  value("sum", "state", 0, 64, 5, 6, "accumulator"),
                  value("sum", "state", 0, 64, 7, 8, "accumulator"),
                  value("mean", "output", 0, 64, 6, 8, "loss")]
        values[1].update(turns=3, period=2)
        values[3].update(turns=2, period=2)
        function = {"name": "step", "arena_bytes": 64, "input_bytes": 192,
                    "output_bytes": 64, "program": program, "values": values}
        self.manifest = {"state_bytes": 64,
                         "state": [{"name": "sum", "offset": 0, "bytes": 64}],
                         "targets": [{"isa": "x86-64-v3", "kernels": kernels,
                                      "functions": [function]}]}
        self.function = function
        return function

    def test_turns(self):
        self.repeated()
        self.assertIn("8 steps, 10 values", plan_checker.check_manifest(self.manifest)[0])
        self.repeated()["values"][1]["turns"] = 2
        self.rejects("which no living value owns")
        self.repeated()["values"][1]["period"] = 3
        self.rejects("no living value owns")
        self.repeated()["values"][3]["turns"] = 1
        self.rejects("no living value owns")

    def offloaded(self):
        """In each of two turns h goes to the host, g takes its place, h comes
        back."""
        kernels = [{"symbol": "make", "access": ["r", "p"], "arg_bytes": [64, 64]},
                   {"symbol": "add", "access": ["r", "rw"], "arg_bytes": [64, 64]}]
        body = [{"op": "launch", "kernel": 0, "args": [["input", 0, 64], ["arena", 0]]},
                {"op": "copy_start", "token": 4, "to": ["host", 0], "from": ["arena", 0], "bytes": 64},
                {"op": "launch", "kernel": 1, "args": [["arena", 0], ["state", 0]]},
                {"op": "wait", "tokens": [4]},
                {"op": "launch", "kernel": 0, "args": [["input", 0, 64], ["arena", 0]]},
                {"op": "launch", "kernel": 1, "args": [["arena", 0], ["state", 0]]},
                {"op": "copy_start", "token": 7, "to": ["arena", 0], "from": ["host", 0], "bytes": 64},
                {"op": "wait", "tokens": [7]},
                {"op": "launch", "kernel": 1, "args": [["arena", 0], ["state", 0]]}]
        values = [value("x", "input", 0, 128, -1, 13, "input"),
                  value("sum", "state", 0, 64, -1, 18, "accumulator"),
                  value("h", "arena", 0, 64, 0, 3), value("h'", "host", 0, 64, 1, 7),
                  value("g", "arena", 0, 64, 4, 5), value("h''", "arena", 0, 64, 6, 8)]
        for row in values[2:]:
            row.update(turns=2, period=9)
        # The sum is state that is added to in place, from the first turn on.
        values[1]["last"] = 2
        values.append(value("sum", "state", 0, 64, 2, 18, "accumulator"))
        self.program = [{"op": "repeat", "count": 2, "body": body}]
        self.function = {"name": "step", "arena_bytes": 64, "host_bytes": 64,
                         "input_bytes": 128, "program": self.program, "values": values}
        self.manifest = {"state_bytes": 64,
                         "state": [{"name": "sum", "offset": 0, "bytes": 64}],
                         "targets": [{"isa": "x86-64-v3", "kernels": kernels,
                                      "functions": [self.function]}]}
        return body

    def test_offload(self):
        self.offloaded()
        self.assertIn("18 steps", plan_checker.check_manifest(self.manifest)[0])

    def test_races(self):
        # The wait for the way out is too late: g is written over h.
        body = self.offloaded()
        body.insert(4, body.pop(3))
        self.row("g")["first"] = 3
        self.row("h")["last"] = 4
        self.rejects("overlap")
        body = self.offloaded()
        body.insert(4, body.pop(3))
        self.row("h")["last"] = 4
        self.row("g")["last"] = 4
        self.row("g")["first"] = 4
        self.rejects("writes arena[0:64], which the copy started in step 1 may "
                     "be reading")
        # h is read before it is back.
        body = self.offloaded()
        body.insert(8, body.pop(7))
        self.rejects("reads arena[0:64], which the copy started in step 6 may "
                     "be writing")
        # It is brought back while it may still be on its way out.
        body = self.offloaded()
        body.insert(7, body.pop(3))
        self.rejects("may be")
        # Its place is somebody else's before the copy out of it is made.
        body = self.offloaded()
        self.row("h")["last"] = 2
        self.rejects("step 3 (wait): a copy started in step 1 may use h "
                     "(arena[0:64], steps 0 to 2) after its end")

    def test_tokens(self):
        self.offloaded().pop(3)
        self.rejects("nothing waits for the tokens [4]")
        self.offloaded()[7]["tokens"] = [4]
        self.rejects("wait 7: nothing before it")
        self.offloaded()[6]["token"] = 4
        self.rejects("token 4 is used twice")
        # A turn waits for what it starts itself.
        body = self.offloaded()
        self.program.append(body.pop(7))
        self.rejects("nothing waits for the tokens [7]")

    def test_host_space(self):
        self.offloaded()
        self.function["host_bytes"] = 128
        self.rejects("the host has 128 bytes, its values need 64")
        self.offloaded()[8]["args"][0] = ["host", 0]
        self.rejects("launch of add: only copies reach the host space")
        self.offloaded()
        self.row("h'")["last"] = 8
        self.rejects("is used last by step 7")

    def test_command_line(self):
        tool = plan_checker.__file__
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "manifest.json")
            bad = copy.deepcopy(self.manifest)
            bad["targets"][0]["functions"][0]["arena_bytes"] = 256
            broken = {"targets": [{"isa": "x", "kernels": []}]}
            for manifest, code in ((self.manifest, 0), (bad, 1), (broken, 1)):
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(manifest, file)
                result = subprocess.run([sys.executable, tool, path],
                                        capture_output=True, check=False)
                self.assertEqual(result.returncode, code, result.stderr)
            result = subprocess.run([sys.executable, tool],
                                    capture_output=True, check=False)
            self.assertEqual(result.returncode, 2)


if __name__ == "__main__":
    unittest.main()
