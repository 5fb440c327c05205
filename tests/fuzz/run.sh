#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Run each fuzzer, first with its corpus (corpus.sh), with a fixed seed.
set -u

if [ $# -lt 2 ]; then
	cat <<END
Usage: tests/fuzz/run.sh BUILD SECONDS [FUZZER...]

Runs the fuzzers of a build folder for SECONDS each, and prints the number of
executions. The build is made with

  CC=clang meson setup BUILD -Dfuzzers=true -Db_sanitize=address,undefined -Db_lundef=false

Inputs that execute new code are stored in BUILD/fuzz/FUZZER, and the next runs use them
too. This command adds them to the archive in the source tree:

  tests/fuzz/corpus.sh add FUZZER BUILD/fuzz/FUZZER/*

An input that makes a fuzzer fail is stored in BUILD/fuzz, and its path is in the log.
The exit status is 0 when no fuzzer has failed, else 1, and 2 for wrong arguments.
END
	exit 2
fi

build=$1
seconds=$2
shift 2
corpus=$build/fuzz/corpus
[ $# -gt 0 ] || set -- fuzz-service fuzz-client fuzz-spec fuzz-vfio-user
status=0

for fuzzer in "$@"; do
	program=$build/tests/fuzz/$fuzzer
	if [ ! -x "$program" ]; then
		echo "$program: no such program" >&2
		exit 2
	fi
	mkdir -p "$build/fuzz/$fuzzer"
	"$(dirname "$0")/corpus.sh" unpack "$fuzzer" "$corpus/$fuzzer" || exit 1
	log=$build/fuzz/$fuzzer.log
	if "$program" -seed=1 -max_total_time="$seconds" -max_len=400 -timeout=60 \
		-rss_limit_mb=3072 -print_funcs=0 -print_final_stats=1 \
		-artifact_prefix="$build/fuzz/$fuzzer-" \
		"$build/fuzz/$fuzzer" "$corpus/$fuzzer" >"$log" 2>&1; then
		result='no finding'
	else
		result="FAILED: see $log"
		status=1
	fi
	awk -v name="$fuzzer" -v result="$result" '
		/^stat::number_of_executed_units:/ { runs = $2 }
		/^stat::average_exec_per_sec:/ { rate = $2 }
		END { printf "%s: %d executions, %d/s, %s\n", name, runs, rate, result }' "$log"
done
exit $status
