#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# The corpora: one archive for each fuzzer, corpus/FUZZER.tar.gz.
set -eu

if [ $# -lt 3 ]; then
	cat <<END
Usage: tests/fuzz/corpus.sh unpack FUZZER FOLDER
       tests/fuzz/corpus.sh add FUZZER INPUT...
       tests/fuzz/corpus.sh replay FUZZER PROGRAM

  unpack  write the inputs of FUZZER into FOLDER, which is created
  add     add the files INPUT... to the archive of FUZZER, each named by the first 8
          digits of its SHA-1 sum; inputs that the archive has already are not added again.
          The same inputs always make the same archive.
  replay  run all inputs of FUZZER once, with a PROGRAM that was built without libFuzzer;
          fails unless the program reports as many inputs as the archive has

The exit status is 0 for success, 1 for failure, 2 for wrong arguments.
END
	exit 2
fi

verb=$1
archive=$(cd "$(dirname "$0")" && pwd)/corpus/$2.tar.gz
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unpack() {	# unpack FOLDER
	mkdir -p "$1"
	tar -xzf "$archive" -C "$1"
}

pack() {	# pack FOLDER: the archive from its files
	(cd "$1" && tar -cf "$work/tar" --format=ustar --sort=name --mtime=@0 --mode=u=rw,go=r \
		--owner=0 --group=0 --numeric-owner -- *)
	gzip -9nc "$work/tar" >"$work/archive"
	cp "$work/archive" "$archive"
}

add() {	# add INPUT...
	[ ! -e "$archive" ] || unpack "$work/inputs"
	mkdir -p "$work/inputs"
	for input; do
		cp "$input" "$work/inputs/$(sha1sum <"$input" | cut -c -8)"
	done
	pack "$work/inputs"
	echo "$archive: $(tar -tzf "$archive" | wc -l) inputs"
}

replay() {	# replay PROGRAM
	unpack "$work/inputs"
	"$1" "$work/inputs" >"$work/out"
	cat "$work/out"
	grep -qx "$(tar -tzf "$archive" | wc -l) inputs, no finding" "$work/out"
}

case $verb in
unpack | add | replay) "$verb" "$@" ;;
*)
	echo "corpus.sh: $verb: expected unpack, add or replay" >&2
	exit 2
	;;
esac
