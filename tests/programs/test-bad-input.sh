#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Bad input: one line that says what was wrong and what would be right, exit status 2
# for usage and 1 for failure.
# Usage: test-bad-input.sh TOOLS-FOLDER
set -u
tools=$1
work=$(mktemp -d) || exit 1
pids=()
cleanup() {
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
passed=0 failed=0

# refuses STATUS PATTERN COMMAND...: it ends within 10 s with that status, says one
# line (and perhaps one that begins with "Try") that matches, and nothing else.
refuses() {
	local status=$1 pattern=$2 got lines
	shift 2
	timeout 10 "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	lines=$(grep -vc -- "^Try '" "$work/err")
	if [ "$got" -eq "$status" ] && grep -Eq -- "$pattern" "$work/err" && [ "$lines" -le 1 ] &&
		[ ! -s "$work/out" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok - ${*##*/}: status $got (not $status), said:"
		sed 's/^/    /' "$work/err" "$work/out"
	fi
}

wait_for() {
	for _ in $(seq 200); do
		[ -S "$1" ] && return
		sleep 0.05
	done
	echo "not ok - $1 did not appear"
	failed=$((failed + 1))
}

dextd="$tools/dextd --socket $work/d.sock"
long=$work/$(printf 'x%.0s' $(seq 120)).sock
printf 'x%.0s' $(seq 1000) >"$work/odd.img"
truncate -s 1M "$work/good.img"
touch "$work/empty.img"

# Usage of dextd.
refuses 2 'no device: expected at least one --device' "$tools/dextd"
refuses 2 '^dextd: --nonsense: no such option \(see --help\)' "$tools/dextd" --nonsense
refuses 2 '^dextd: --device: expected a value: --device SPEC' "$tools/dextd" --device
refuses 2 'extra: unexpected argument' "$tools/dextd" --device nvme,addr=01:00.0,size=1M extra

# Wrong device strings: 2, whichever program is told. What is specified well and cannot be had: 1.
spec_refused() {
	local status=$1 spec=$2 pattern=$3
	# shellcheck disable=SC2086
	refuses "$status" "^dextd: .*($pattern)" $dextd --device "$spec"
	refuses "$status" "^dext-vfio-user: .*($pattern)" "$tools/dext-vfio-user" \
		--socket "$work/v.sock" --device "$spec"
}
for case in \
	',addr=01:00.0|must begin with a type' \
	'floppy,addr=01:00.0|no device type "floppy" \(there is: .*nvme' \
	'nvme|no address \(addr=BB:DD.F' \
	'nvme,size=1M|no address' \
	'nvme,addr=01:00.0|image.*size|size.*image' \
	'nvme,addr=01:00.0,size=1M,image=x|image.*size|size.*image' \
	'nvme,addr=1:0|addr=1:0: expected an address BB:DD.F in hex' \
	'nvme,addr=01:20.0,size=1M|expected a device of 00 to 1f' \
	'nvme,addr=01:00.8,size=1M|expected a function of 0 to 7' \
	'nvme,addr=0001:01:00.0,size=1M|expected the PCI domain 0000' \
	'nvme,addr=01:00.0,size=1M,irq=intx,dbbuf=on|dbbuf=on does not go with irq=intx' \
	'nvme,addr=01:00.0,size|"size" is not key=value' \
	'nvme,addr=01:00.0,size=1M,size=2M|"size" is given twice' \
	'nvme,addr=01:00.0,size=1M,colour=red|no key "colour" \(it has: addr, ' \
	'nvme,addr=01:00.0,size=many|size=many: expected a size in bytes' \
	'nvme,addr=01:00.0,size=99999999999T|too large a number' \
	'nvme,addr=01:00.0,size=1M,block=1000|512.*4096' \
	'nvme,addr=01:00.0,size=1M,dma=magic|dma=magic is neither identity nor dart' \
	'nvme,addr=01:00.0,size=1M,dma-maps=9|go with dma=dart' \
	'nvme,addr=01:00.0,size=1M,vectors=0|vectors=0 is not a number from 1 to 256' \
	'vfio|no device: host=ADDRESS' \
	'vfio,host=nowhere|host=nowhere: expected a PCI address' \
	'odd,addr=01:00.0,caps=none|it is one of' ; do
	spec_refused 2 "${case%%|*}" "${case#*|}"
done
for case in \
	"nvme,addr=01:00.0,image=$work/missing.img|missing.img.*No such file" \
	"nvme,addr=01:00.0,image=$work/odd.img|1000.*512" \
	"nvme,addr=01:00.0,image=$work/empty.img|empty.img" \
	"nvme,addr=01:00.0,image=$work|directory|not a" ; do
	spec_refused 1 "${case%%|*}" "${case#*|}"
done
# shellcheck disable=SC2086
refuses 2 'address 01:00.0 is in use by an earlier --device' $dextd \
	--device nvme,addr=01:00.0,size=1M --device nvme,addr=01:00.0,size=2M
# shellcheck disable=SC2086
refuses 1 'good.img.*(use|lock)' $dextd --device "nvme,addr=01:00.0,image=$work/good.img" \
	--device "nvme,addr=02:00.0,image=$work/good.img"
refuses 1 'it must have 1 to 107' "$tools/dextd" --socket "$long" \
	--device nvme,addr=01:00.0,size=1M
refuses 1 'No such file' "$tools/dextd" --socket "$work/no/such/folder.sock" \
	--device nvme,addr=01:00.0,size=1M
refuses 1 'not a socket' "$tools/dextd" --socket "$work/odd.img" \
	--device nvme,addr=01:00.0,size=1M
[ -s "$work/odd.img" ] || { echo 'not ok - not a socket was removed'; failed=$((failed + 1)); }

# No driver service.
export DEXT_SOCKET=$work/none.sock
refuses 1 "no driver service at $work/none.sock \(No such file" "$tools/dextctl" list
refuses 1 'no driver service at .*none.sock' "$tools/dext-vfio-user" --addr 01:00.0 \
	--socket "$work/v.sock"
DEXT_SOCKET=$long refuses 1 'bytes long \(at most 107\)' "$tools/dextctl" list

# A running service.
export DEXT_SOCKET=$work/d.sock
"$tools/dextd" --device nvme,addr=01:00.0,size=1M --device nvme,addr=02:00.0,size=1M 2>"$work/d.log" &
pids+=($!)
wait_for "$work/d.sock"
until grep -q "^dextd: serving" "$work/d.log"; do sleep 0.05; done
refuses 1 'in use by another server' "$tools/dextd" --device nvme,addr=03:00.0,size=1M
refuses 2 'no command \(dextctl --help' "$tools/dextctl"
refuses 2 'frobnicate' "$tools/dextctl" frobnicate
refuses 2 'nowhere' "$tools/dextctl" info nowhere
refuses 1 '05:00.0.*01:00.0.*02:00.0' "$tools/dextctl" info 05:00.0

# One grammar of addresses for all: what is good, and what is said of what is not.
for address in 1:0.0 01:00.0 0000:01:00.0; do
	if ! "$tools/dextctl" info "$address" >"$work/out" 2>&1; then
		failed=$((failed + 1))
		echo "not ok - info $address: $(cat "$work/out")"
	fi
	refuses 2 'address 01:00.0 is in use' "$tools/dextd" --socket "$work/e.sock" \
		--device nvme,addr=01:00.0,size=1M --device "nvme,addr=$address,size=1M"
	refuses 1 "no driver service at $work/none.sock" "$tools/dext-vfio-user" \
		--driver "$work/none.sock" --socket "$work/v.sock" --addr "$address"
done
for case in '100:00.0|expected a bus of 00 to ff' '01:20.0|expected a device of 00 to 1f' \
	'01:00.8|expected a function of 0 to 7' '0001:01:00.0|expected the PCI domain 0000' \
	'a b/01:00.0|expected a PCI root of 1 to 15' '01:00|expected an address BB:DD.F in hex'; do
	refuses 2 "^dextctl: ${case%%|*}: ${case#*|}" "$tools/dextctl" info "${case%%|*}"
	refuses 2 "^dextd: .*addr=${case%%|*}: ${case#*|}" "$tools/dextd" --socket "$work/e.sock" \
		--device "nvme,addr=${case%%|*},size=1M"
	refuses 2 "^dext-vfio-user: --addr ${case%%|*}: ${case#*|}" "$tools/dext-vfio-user" \
		--socket "$work/v.sock" --addr "${case%%|*}"
done

# The same options in all three.
same_options() {
	local program=$1 short long
	for short in h:help V:version; do
		long=--${short#*:} short=-${short%%:*}
		if "$program" "$long" >"$work/a" 2>&1 && "$program" "$short" >"$work/b" 2>&1 &&
			[ -s "$work/a" ] && cmp -s "$work/a" "$work/b"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "not ok - ${program##*/} $long and $short"
		fi
	done
	refuses 2 '-x: no such option' "$program" -x
	refuses 2 '--nonsense: no such option' "$program" --nonsense
	refuses 2 '--help=1: the option takes no value' "$program" --help=1
	refuses 2 '--socket: expected a value: --socket PATH' "$program" -s
}
for program in dextd dextctl dext-vfio-user; do
	same_options "$tools/$program"
done
refuses 1 "no driver service at $work/none.sock" "$tools/dextctl" -s "$work/none.sock" list
refuses 1 'has [0-9]+ bytes, it must have 1 to 107' "$tools/dextd" -s "$long" -d nvme,addr=01:00.0,size=1M
refuses 2 'has [0-9]+ bytes, it must have 1 to 107' "$tools/dext-vfio-user" -s "$long" \
	-d nvme,addr=01:00.0,size=1M

# dextctl help COMMAND is dextctl COMMAND --help.
for words in '' info 'config read' config 'irq watch'; do
	# shellcheck disable=SC2086
	if "$tools/dextctl" help $words >"$work/a" 2>&1 && [ -s "$work/a" ] &&
		"$tools/dextctl" $words --help 2>&1 | cmp -s - "$work/a"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok - dextctl help $words: $(head -n 1 "$work/a")"
	fi
done
refuses 2 'frobnicate: no such command' "$tools/dextctl" help frobnicate

# dext-vfio-user.
vu=$tools/dext-vfio-user
refuses 2 '--socket' "$vu" --addr 01:00.0
refuses 2 '--addr|--device' "$vu" --socket "$work/v.sock"
refuses 2 '--addr|--device' "$vu" --socket "$work/v.sock" --addr 01:00.0 --device nvme,addr=01:00.0,size=1M
refuses 2 'address|BB:DD.F' "$vu" --socket "$work/v.sock" --addr 1
refuses 2 'has [0-9]+ bytes, it must have 1 to 107' "$vu" --socket "$long" --addr 01:00.0
refuses 1 '07:00.0' "$vu" --socket "$work/v.sock" --addr 07:00.0
refuses 1 'No such file' "$vu" --socket "$work/v.sock" --device "nvme,addr=01:00.0,image=$work/missing.img"
"$vu" --socket "$work/v.sock" --addr 01:00.0 >"$work/v.log" 2>&1 &
pids+=($!)
wait_for "$work/v.sock"
refuses 1 '01:00.0 is in use' "$vu" --socket "$work/v2.sock" --addr 01:00.0
refuses 1 'v.sock' "$vu" --socket "$work/v.sock" --addr 02:00.0
# Neither program takes a path over from the other, although their sockets differ in type.
# shellcheck disable=SC2086
refuses 1 'in use by another server' $dextd --socket "$work/v.sock" --device nvme,addr=03:00.0,size=1M
refuses 1 'in use by another server' "$vu" --socket "$work/d.sock" --addr 02:00.0
for path in v.sock d.sock; do
	[ -S "$work/$path" ] || { echo "not ok - $path was removed"; failed=$((failed + 1)); }
done
refuses 1 'not a socket' "$vu" --socket "$work/odd.img" --addr 02:00.0

echo "bad-input: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
