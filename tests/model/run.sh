#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Check a model with Spin: it must find no error in the model, and an error in each mutation.
# Usage: run.sh MODEL [FOLDER]. The exit status is 77 (skipped) if spin is not installed.
set -eu

model=$(cd "$(dirname "$0")" && pwd)/${1:?no model}.pml
cc=${CC:-cc}
mutations=$(grep -c "^ \*   [0-9]" "$model") # those that its comment lists

command -v spin >/dev/null || { echo "spin is not installed: the model is not checked"; exit 77; }
folder=${2:-$(mktemp -d)}
[ $# -gt 1 ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
cd "$folder"

# check MUTATION - print the line of Spin's result "errors: N"
check() {
	spin -DMUTATION="$1" -a "$model" >spin.log 2>&1 || { cat spin.log >&2; return 1; }
	"$cc" -O1 -w -DMEMLIM=1024 -o pan pan.c
	./pan -m100000 -n >pan.log 2>&1 || true
	if grep -q 'max search depth too small\|out of memory' pan.log; then
		cat pan.log >&2
		return 1
	fi
	grep -o 'errors: [0-9]*' pan.log
}

status=0
result=$(check 0)
states=$(grep -o '[0-9e+.]* states, stored' pan.log)
if [ "$result" = "errors: 0" ]; then
	echo "model: no errors in $states"
else
	echo "model: $result"
	cat pan.log
	status=1
fi
for mutation in $(seq "$mutations"); do
	result=$(check "$mutation")
	if [ "$result" = "errors: 0" ]; then
		echo "mutation $mutation: error not found"
		status=1
	else
		echo "mutation $mutation: error found"
	fi
done
exit $status
