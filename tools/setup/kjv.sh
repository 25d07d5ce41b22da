#!/usr/bin/env bash
# Writes the King James text, one verse a line, to the file named: the demo's
# training text (4.4 MB of English, from the Debian package bible-kjv).
set -euo pipefail
[ $# = 1 ] || { echo "usage: $0 FILE" >&2; exit 2; }
mkdir -p "$(dirname "$1")"
bible -f 'gen1:1-rev22:21' >"$1.part"
mv "$1.part" "$1"
