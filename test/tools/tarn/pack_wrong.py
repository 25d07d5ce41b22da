"""Hostile packing files for `tarn plan --pack`, and the error each must give."""

import pathlib
import subprocess
import sys

HEADER = b"id,lower,upper,size\n"
CASES = {
    "empty": (b"", "1: is empty"),
    "header-only": (HEADER, "1: holds no buffers"),
    "no-size": (b"id,lower,upper\na,0,1\n", "1: no column `size`"),
    "no-header": (b"a,0,1,4\n", "1: unknown column `a`"),
    "column-twice": (b"id,lower,upper,size,size\n", "1: column `size` is there twice"),
    "unknown-column": (b"id,lower,upper,size,gaps\n", "1: unknown column `gaps`"),
    "short-line": (HEADER + b"a,0,1,4\nb,0,1\n", "3: has 3 fields, the header 4"),
    "long-line": (HEADER + b"a,0,1,4,5\n", "2: has 5 fields, the header 4"),
    "empty-line": (HEADER + b"\na,0,1,4\n", "2: is an empty line"),
    "word": (HEADER + b"a,0,x,4\n", "2: `upper` is not a number: `x`"),
    "fraction": (HEADER + b"a,0,1,4.5\n", "2: `size` is not a number: `4.5`"),
    "blank": (HEADER + b"a,0,1, 4\n", "2: `size` is not a number: ` 4`"),
    "nothing": (HEADER + b"a,0,1,\n", "2: `size` is not a number: ``"),
    "negative-size": (HEADER + b"a,0,1,-4\n", "2: `size` must be at least 1, not `-4`"),
    "zero-size": (HEADER + b"a,0,1,0\n", "2: `size` must be at least 1, not `0`"),
    "negative-time": (HEADER + b"a,-1,1,4\n", "2: `lower` must be at least 0, not `-1`"),
    "beyond-64-bits": (HEADER + b"a,0,1,18446744073709551617\n",
                       "2: `size` is too large: `18446744073709551617`"),
    "beyond-62-bits": (HEADER + b"a,0,1,9223372036854775807\n",
                       "2: `size` is too large: `9223372036854775807`"),
    "many-digits": (HEADER + b"a,0,1," + b"9" * 5000 + b"\n", "2: `size` is too large: `999"),
    "sum": (HEADER + b"a,0,1,4611686018427387000\nb,0,1,4611686018427387000\n",
            "3: sizes, alignments and offsets add up to 2^62 or more"),
    "never-lives": (HEADER + b"a,5,5,4\n", "2: `lower` 5 is not below `upper` 5"),
    "backwards": (HEADER + b"a,5,3,4\n", "2: `lower` 5 is not below `upper` 3"),
    "same-id": (HEADER + b"a,0,1,4\nb,0,1,4\na,1,2,4\n", "4: id `a` is also in line 2"),
    "no-id": (HEADER + b",0,1,4\n", "2: `id` is empty"),
    "nul": (HEADER + b"a\0b,0,1,4\n", "2: holds a NUL byte"),
    "escape": (HEADER + b"a\x1b[2J,0,1,4\n", "2: holds a control character"),
    "quotes": (HEADER + b'"a",0,1,4\n', "2: holds a quote"),
    "alignment": (b"id,lower,upper,size,alignment\na,0,1,4,0\n",
                  "2: `alignment` must be at least 1, not `0`"),
    "offset": (b"id,lower,upper,size,alignment,offset\na,0,1,4,8,4\n",
               "2: `offset` 4 is not a multiple of `alignment` 8"),
    "binary": (bytes(range(256)) * 40, "1: holds"),
    "lines": (HEADER + b"".join(b"%d,0,1,4\n" % i for i in range(10_000_000)),
              "100002: more than 100000 buffers"),
}


def run(path):
    return subprocess.run(["tarn", "plan", "--pack", str(path), "--capacity", "100"],
                          capture_output=True, timeout=60)


folder = pathlib.Path(sys.argv[1])
wrong = []
for name, (data, message) in CASES.items():
    path = folder / (name + ".csv")
    path.write_bytes(data)
    result = run(path)
    path.unlink()
    expected = f"error: {path}:{message}"
    error = result.stderr.decode(errors="replace")
    if (result.returncode != 1 or not error.startswith(expected)
            or error.count("\n") != 1 or result.stdout):
        wrong.append(f"{name}: exit {result.returncode}\n  {error}  expected {expected}")
for path, message in [(folder / "none.csv", "none.csv"), (folder, "Is a directory")]:
    result = run(path)
    if result.returncode != 1 or message not in result.stderr.decode():
        wrong.append(f"{path}: exit {result.returncode} {result.stderr}")
# Line ends of other systems, and no end of the last line, are fine.
path = folder / "crlf.csv"
path.write_bytes(b"id,lower,upper,size\r\na,0,1,4\r\nb,0,1,6")
if run(path).returncode:
    wrong.append("crlf: " + run(path).stderr.decode())
if wrong:
    sys.exit("\n".join(wrong))
