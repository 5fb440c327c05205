#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Check a model exhaustively: as it is nothing must be found, and with each mutation
# something must. Usage: run.sh MODEL [FOLDER]. Exit status 77, skipped, without spin.
set -eu

model=$(cd "$(dirname "$0")" && pwd)/${1:?no model}.pml
cc=${CC:-cc}
mutations=5

command -v spin >/dev/null || { echo "spin is not installed: the model is not checked"; exit 77; }
folder=${2:-$(mktemp -d)}
[ $# -gt 1 ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
cd "$folder"

# check MUTATION: prints spin's verdict, "errors: N"
check() {
	spin -DMUTATION="$1" -a "$model" >spin.log 2>&1 || { cat spin.log; return 1; }
	"$cc" -O1 -w -DMEMLIM=1024 -o pan pan.c
	./pan -m100000 -n >pan.log 2>&1 || true
	if grep -q 'max search depth too small\|out of memory' pan.log; then
		cat pan.log
		return 1
	fi
	grep -o 'errors: [0-9]*' pan.log
}

status=0
verdict=$(check 0)
states=$(grep -o '[0-9e+.]* states, stored' pan.log)
if [ "$verdict" = "errors: 0" ]; then
	echo "the protocol: nothing found in $states"
else
	echo "the protocol: $verdict"
	cat pan.log
	status=1
fi
for mutation in $(seq "$mutations"); do
	verdict=$(check "$mutation")
	if [ "$verdict" = "errors: 0" ]; then
		echo "mutation $mutation: not found"
		status=1
	else
		echo "mutation $mutation: found"
	fi
done
exit $status
