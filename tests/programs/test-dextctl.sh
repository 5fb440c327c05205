#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# dextctl as a program: its output against that of lspci, commands that run until a signal, the
# removal of devices and the end of the driver, PCI roots, and completion.
# Usage: test-dextctl.sh TOOLS-FOLDER DMA-CLIENT
set -u
tools=$1 dma_client=$2
tree=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
work=$(mktemp -d) || exit 1
passed=0 failed=0
driver=''
export DEXT_SOCKET=$work/d.sock
export PATH=$tools:$PATH

cleanup() {
	local left
	left=$(jobs -p)
	# shellcheck disable=SC2086
	[ -z "$left" ] || kill -KILL $left 2>/dev/null
	wait 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT

ok() {
	passed=$((passed + 1))
}

# not_ok WHAT [FILE...] - report a failure, with the contents of the files
not_ok() {
	failed=$((failed + 1))
	echo "not ok - $1"
	shift
	for file; do
		sed "s,^,    ${file##*/}: ," "$file"
	done
}

# expect WHAT FILE PATTERN... - each matches a line
expect() {
	local what=$1 file=$2 pattern
	shift 2
	for pattern; do
		if ! grep -Eq -- "$pattern" "$file"; then
			not_ok "$what: no line matches $pattern" "$file"
			return
		fi
	done
	ok
}

# within WHAT COMMAND... - the command succeeds within 20 s
within() {
	local what=$1
	shift
	for _ in $(seq 400); do
		"$@" && return 0
		sleep 0.05
	done
	not_ok "$what: not within 20 s"
	return 1
}

has_line() {
	grep -Eq -- "$2" "$1" 2>/dev/null
}

# driver_start SPEC...
driver_start() {
	local options=() spec
	for spec; do
		options+=(--device "$spec")
	done
	rm -f "$work/d.log"	# not the output of an earlier one
	dextd "${options[@]}" 2>"$work/d.log" &
	driver=$!
	within "dextd with $*" has_line "$work/d.log" serving || cat "$work/d.log"
}

driver_stop() {
	kill -TERM "$driver"
	wait "$driver" 2>/dev/null || not_ok "dextd did not end well: $?" "$work/d.log"
}

# live NAME ARGUMENT... - start dextctl in the background, with output in NAME.out and NAME.err,
# and wait until it has begun; set $live to its process
live() {
	local name=$1
	shift
	rm -f "$work/$name.out" "$work/$name.err"
	dextctl "$@" >"$work/$name.out" 2>"$work/$name.err" &
	live=$!
	case $1 in
	top) within "$name" test -s "$work/$name.out" ;;
	*) within "$name" has_line "$work/$name.err" 'Ctrl-C ends it' ;;
	esac
}

# ends WHAT PROCESS STATUS - the process ends with that status
ends() {
	local status
	within "$1" process_ended "$2" || return
	wait "$2" 2>/dev/null
	status=$?
	if [ "$status" -eq "$3" ]; then
		ok
	else
		not_ok "$1: status $status, not $3"
	fi
}

process_ended() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null
}

# --- lspci -F ---------------------------------------------------------------------------

# The contents of config space by info, in a common form.
of_info() {
	sed -n -e '1p' \
		-e 's/^\t\(Control:\) */\1 /p' \
		-e 's/^\tSubsystem: *\(Device \)\?\(.*\)/Subsystem: \2/p' \
		-e 's/^\tRegion \(.*\):  *I\/O ports.*/Region \1: ports/p' \
		-e 's/^\tRegion \(.*\):  *Memory (\(.*\)) .*/Region \1: \2/p' \
		-e 's/^\t\(Capabilities:\|  *\) *<the chain loops.*/loop/p' \
		-e 's/^\t\(Capabilities:\|  *\) *\(\[.*\)/\2/p' "$1" | sed 's/ \[....:....\]$//'
}

# The same by lspci -vv, which prints some of it in later lines.
of_lspci() {
	awk '
	function flush() { if (capability != "") print capability; capability = "" }
	NR == 1 { print; next }
	/^\tSubsystem: / { sub(/^\tSubsystem: /, ""); sub(/^Device [^ ]*:/, "&");
		sub(/^Device /, ""); print "Subsystem: " $0 }
	/^\tControl: / { print "Control: " $2, $3, $4, $NF }
	/^\tRegion .*: I\/O ports/ { print "Region " $2 " ports" }
	/^\tRegion .*: Memory/ { match($0, /\([^)]*\)/);
		print "Region " $2 " " substr($0, RSTART + 1, RLENGTH - 2) }
	/^\tCapabilities: / { flush(); sub(/^\tCapabilities: /, ""); sub(/ <\?>$/, "");
		sub(/^.*Vendor Specific Information: Len=.*/, substr($0, 1, index($0, ":") - 1));
		if (/<chain looped>/) print "loop"; else capability = $0 }
	/^\t\tStatus: D/ { capability = capability ", in " $2 }
	/^\t\t\tExtTag.* FLReset/ { match($0, /FLReset./);
		capability = capability ", " substr($0, RSTART, RLENGTH) }
	/^\t\tLnkSta:/ { sub(/^\t\tLnkSta:[ \t]*/, ""); gsub(/ \([a-z]*\)/, "");
		capability = capability ", " $0 }
	/^\t\t(Vector table|PBA): / { split($0, part, "="); split(part[2], bar, " ");
		capability = capability ", " (/PBA/ ? "PBA" : "table") " in BAR " bar[1] " at " part[3] }
	END { flush() }' "$1"
}

# compare WHAT - $work/a and $work/b are the same and not empty
compare() {
	if [ -s "$work/a" ] && diff "$work/a" "$work/b" >"$work/diff"; then
		ok
	else
		not_ok "$1" "$work/diff"
	fi
}

check_lspci() {
	local address=$1 what=$2
	dextctl info "$address" >"$work/info" || not_ok "$what: info"
	dextctl config dump "$address" >"$work/dump" || not_ok "$what: config dump"
	lspci -F "$work/dump" -vv >"$work/lspci" 2>"$work/err" || not_ok "$what: lspci" "$work/err"
	of_info "$work/info" >"$work/a"
	of_lspci "$work/lspci" >"$work/b"
	compare "$what: info (<) and lspci (>) differ"
	grep -q 'Capabilities: \[' "$work/lspci" || not_ok "$what: no capabilities" "$work/lspci"

	# Every byte is the same.
	grep -E '^[0-9a-f]+: ' "$work/dump" >"$work/a"
	lspci -F "$work/dump" -xxxx 2>/dev/null | grep -E '^[0-9a-f]+: ' >"$work/b"
	compare "$what: lspci -F -xxxx prints other bytes"

	dextctl info -n "$address" | sed -n -e 's/ (prog-if.*//' -e 1p >"$work/a"
	lspci -F "$work/dump" -n 2>/dev/null | sed -e '/^$/d' -e 's/ (prog-if.*//' >"$work/b"
	compare "$what: numeric ids"
}

test_lspci() {
	local spec address
	# shellcheck disable=SC2054
	local -a specs=(
		nvme,addr=01:00.0,size=1M
		nvme,addr=02:1f.7,size=1M,vectors=7
		edu,addr=03:00.0
		odd,addr=04:00.0
		odd,addr=05:00.0,irq=msi,flr=on
		odd,addr=06:00.0,irq=intx,caps=loop
		odd,addr=07:00.0,irq=none,caps=end
		odd,addr=left/08:00.0
	)
	driver_start "${specs[@]}"
	for spec in "${specs[@]}"; do
		address=${spec#*addr=}
		check_lspci "${address%%,*}" "$spec"
	done
	test_placeholders
	# Capabilities that info only names.
	dextctl config dump 04:00.0 >"$work/dump" || not_ok 'config dump'
	lspci -F "$work/dump" -vv >"$work/lspci" 2>/dev/null || not_ok 'lspci -F'
	expect 'lspci -F decodes the rest' "$work/lspci" 'Vendor Specific Information: Len=06 ' \
		'^		DevCap:	MaxPayload 128 bytes' '^		LnkCap:	Port '
	driver_stop
}

# Placeholders are in the text, not in JSON.
test_placeholders() {
	local bytes
	dextctl config dump 03:00.0 >"$work/dump" || not_ok 'config dump'
	expect 'a placeholder' "$work/dump" '^	Region 0: 00100000 is a placeholder' '^10: 00 00 10 00 '
	dextctl config dump 03:00.0 --json >"$work/out" || not_ok 'config dump --json'
	bytes=$(sed -n 's/.*"bytes": "\(.*\)"/\1/p' "$work/out")
	if [ "${bytes:32:8}" = 00000000 ]; then
		ok
	else
		not_ok "config dump --json: bytes at 10 are ${bytes:32:8}"
	fi
}

# --- Registers --------------------------------------------------------------------------

# reads EXPECTED ARGUMENT... - config read prints that
reads() {
	local expected=$1 got
	shift
	got=$(dextctl config read 01:00.0 "$@" 2>&1)
	if [ "$got" = "$expected" ]; then
		ok
	else
		not_ok "config read $*: '$got', not '$expected'"
	fi
}

test_registers() {
	local position width name bytes msix compared=0
	driver_start nvme,addr=01:00.0,size=1M
	# setpci's own list of the type 0 header is the reference.
	while read -r position width name; do
		bytes=$(case $width in B) echo 1 ;; W) echo 2 ;; L) echo 4 ;; esac)
		dextctl config read 01:00.0 "$name" --json >"$work/out" || not_ok "config read $name"
		expect "config read $name" "$work/out" "\"register\": \"$name\"" \
			"\"offset\": $((16#$position)),?" "\"width\": $bytes,?"
			compared=$((compared + 1))
	done < <(setpci --dumpregs | sed -n -e 's/^ *\([0-9a-f]\{2\} [BWL] \)/\1/p' -e '/ MAX_LAT$/q')
	[ "$compared" -eq 26 ] || not_ok "setpci --dumpregs: $compared registers"
	reads '0x4e58  VENDOR_ID' 0 -w 2
	reads '0x4e58  VENDOR_ID' 0.w
	reads '0x4e58  VENDOR_ID' vendor_id
	reads '0x4e  VENDOR_ID+1' VENDOR_ID+1.b
	# 10 is 0x10, not ten.
	dextctl config read 01:00.0 10 --json >"$work/out"
	expect 'config read 10' "$work/out" '"register": "BASE_ADDRESS_0"' '"offset": 16,'
	msix=$(dextctl info 01:00.0 --json | sed -n '/"id": "0x11"/,/"name"/s/.*"offset": *\([0-9]*\).*/\1/p')
	dextctl config read 01:00.0 CAP_MSIX+2.w --json >"$work/out"
	expect 'config read CAP_MSIX+2.w' "$work/out" '"register": "CAP_MSIX\+2"' \
		"\"offset\": $((msix + 2)),"
	dextctl config read 01:00.0 "$(printf '%x' "$((msix + 4))")" >"$work/out"
	expect 'config read of an offset in a capability' "$work/out" '^0x[0-9a-f]{8}  CAP_MSIX\+4$'
	dextctl config read 01:00.0 "$(printf '0x%x' "$((msix + 4))")" >"$work/a"
	cp "$work/out" "$work/b"
	compare 'config read: 0x or not'
	says 1 '01:00.0: CAP_MSI: the device has no such capability' config read 01:00.0 CAP_MSI
	says 2 '^dextctl: COMAND: expected a register: ' config read 01:00.0 COMAND
	says 2 'COMMAND.q: expected a width of .b, .w or .l' config read 01:00.0 COMMAND.q
	says 2 'expected the same width' config read 01:00.0 COMMAND.w -w 4
	says 2 'offset 0x1000: past the end' config read 01:00.0 1000
	says 2 'offset 0x5: expected a multiple of the width, 2' config read 01:00.0 5.w

	# Another client claims the device, so that it is not reset.
	live irq irq watch 01:00.0
	dextctl config write 01:00.0 INTERRUPT_LINE 5a 2>"$work/err" || not_ok 'config write' "$work/err"
	reads '0x5a  INTERRUPT_LINE' INTERRUPT_LINE
	dextctl config write 01:00.0 INTERRUPT_LINE 0f:3c --json >"$work/out" 2>"$work/err" ||
		not_ok 'config write, mask' "$work/err"
	expect 'config write, mask' "$work/out" '"register": "INTERRUPT_LINE"' '"value": "0x4e"'
	reads '0x4e  INTERRUPT_LINE' 3c.b
	says 2 'value 0x100: does not fit in 1 byte' config write 01:00.0 INTERRUPT_LINE 100
	says 2 'value 0x1ff: does not fit in 1 byte' config write 01:00.0 INTERRUPT_LINE 0:1ff
	says 2 'MASK : expected a number in hex' config write 01:00.0 INTERRUPT_LINE 0:
	kill -INT "$live"
	ends 'irq watch' "$live" 0
	driver_stop
}

# --- Interrupts -------------------------------------------------------------------------

test_irq() {
	driver_start nvme,addr=01:00.0,size=1M
	live irq irq watch 01:00.0 --mask 1,3-4 --count 3
	for vector in 0 1 2 3 5 4; do
		dextctl irq trigger 01:00.0 "$vector" >"$work/out" 2>&1 || not_ok trigger "$work/out"
		# One at a time: pending vectors are printed in the order of their numbers.
		[[ $vector =~ [0125] ]] || within "vector $vector" has_line "$work/irq.out" " $vector +1$"
	done
	ends 'irq watch --count' "$live" 0
	expect 'irq watch --mask' "$work/irq.out" '^[0-9:.]{12} +1 +1$' ' +3 +1$' ' +4 +1$'
	grep -Eq '^[0-9:.]* +[025] ' "$work/irq.out" && not_ok 'a masked vector is printed' "$work/irq.out"
	expect 'irq watch: note' "$work/irq.err" 'watching 3 of 64 vectors'

	live irq irq watch 01:00.0 --json
	dextctl irq trigger 01:00.0 63
	within 'vector 63' has_line "$work/irq.out" '"vector":63,"count":1'
	kill -INT "$live"
	ends 'irq watch, Ctrl-C' "$live" 0

	says 2 'no such vectors \(0 to 63\)' irq watch 01:00.0 --mask 60-64
	says 2 '^dextctl: --mask 3-1: expected vectors' irq watch 01:00.0 --mask 3-1
	says 1 'vector 64: no such vector \(0 to 63\)' irq trigger 01:00.0 64
	says 2 'VECTOR x: expected a number' irq trigger 01:00.0 x
	driver_stop
}

# says STATUS PATTERN ARGUMENT... - dextctl ends so, with one matching line of error and no output
says() {
	local status=$1 pattern=$2 got
	shift 2
	timeout 20 dextctl "$@" >"$work/out" 2>"$work/err"
	got=$?
	if [ "$got" -eq "$status" ] && grep -Eq -- "$pattern" "$work/err" &&
		[ "$(grep -vc ': note: ' "$work/err")" -eq 1 ] && [ ! -s "$work/out" ]; then
		ok
	else
		not_ok "dextctl $*: status $got, expected $status and $pattern" "$work/out" "$work/err"
	fi
}

# --- Clients ----------------------------------------------------------------------------

# client_start - start a client, whose process is $client, until client_stop
client_start() {
	rm -f "$work/stop" "$work/client"
	mkfifo "$work/stop"
	"$dma_client" <"$work/stop" >"$work/client" 2>&1 &
	client=$!
	exec 3>"$work/stop"
	within 'the client' has_line "$work/client" ready || cat "$work/client"
}

client_stop() {
	exec 3>&-
	ends 'the client' "$client" 0
}

test_dma() {
	local name
	dextctl dma 01:00.0 >"$work/out" || not_ok dma
	expect 'dma without regions' "$work/out" '^	IOMMU:   dart$' \
		'^	Mapped:  0 of 1M, 0 of 99 mappings$' '^	Faults:  0$' '^	Regions: none$'
	client_start
	dextctl dma 01:00.0 >"$work/out" || not_ok dma
	name=$(cut -c -15 "/proc/$client/comm")
	expect dma "$work/out" '^	Mapped:  32K of 1M, 2 of 99 mappings$' \
		"^[0-9]+ +$client +$name +0x100000 +16K +1 +0x[0-9a-f]+$" \
		"^[0-9]+ +$client +$name +0x200000 +16K +1 +0x[0-9a-f]+$"
	dextctl dma 01:00.0 --json >"$work/out" || not_ok 'dma --json'
	expect 'dma --json' "$work/out" '"maps_used": 2' "\"pid\": $client" '"iova": "0x0000000000200000"'
	dextctl info 01:00.0 >"$work/out" || not_ok info
	expect info "$work/out" 'DMA: +2 regions \[size=32K\], 0 faults' \
		'DMA limits: +dart, 32K of 1M, 2 of 99 mappings'
}

test_top() {
	dextctl top 01:00.0 --count 1 >"$work/out" 2>&1 || not_ok top "$work/out"
	expect top "$work/out" '^[0-9:]{8}  1 client, [0-9.]+ calls/s, 0.0 interrupts/s$' \
		"^01:00.0 +[0-9]+ +$client +claimed +[0-9]+\.[0-9] +0\.0 +2 +32K "
	dextctl top --count 2 --json >"$work/out" || not_ok 'top --json'
	expect 'top --json' "$work/out" "\"pid\":$client,.*\"bytes_wired\":32768"
	[ "$(grep -c '^{' "$work/out")" -eq 2 ] || not_ok 'top --json: two lines' "$work/out"
	live top top --json
	within 'top: a rate' has_line "$work/top.out" '"calls_per_second":[0-9.]*[1-9]' && ok
	kill -INT "$live"
	ends 'top, Ctrl-C' "$live" 0
	# A terminal: each table replaces the one before.
	TERM=xterm script -qec 'dextctl top --count 2' /dev/null >"$work/out" </dev/null ||
		not_ok 'top, terminal'
	tr '\033' '@' <"$work/out" >"$work/screen"
	expect 'top on a terminal' "$work/screen" '^@\[2J@\[H' '^@\[J@\[\?7h@\[H'
	for TERM in dumb ''; do
		TERM=$TERM script -qec 'dextctl top --count 2' /dev/null >"$work/out" </dev/null ||
			not_ok 'top, dumb terminal'
		[ "$(grep -c 'clients\? *, ' "$work/out")" -eq 2 ] || not_ok 'top: two tables' "$work/out"
		if grep -q "$(printf '\033')" "$work/out"; then
			not_ok "top writes escapes to TERM='$TERM'" "$work/out"
		else
			ok
		fi
	done
	live top top 01:00.0
	kill -TERM "$live"
	ends 'top, SIGTERM' "$live" 0
}

# type_when_shown KEYS - wait for the first table and type
type_when_shown() {
	within 'top on a terminal' has_line "$work/out" ' 1 client, ' >&2
	printf '%s' "$1"
}

# top_keys WHAT KEYS - the keys end top on a terminal, whose mode is restored. The shell around
# it has to survive the SIGINT of the terminal: bash does, dash does not.
top_keys() {
	rm -f "$work/status" "$work/out"
	type_when_shown "$2" | SHELL=/bin/bash timeout 60 script -qec "stty -a >$work/a; dextctl top 01:00.0; echo \$? >$work/status
		stty -a >$work/b" /dev/null >"$work/out" 2>&1 || not_ok "top, $1" "$work/out"
	[ "$(cat "$work/status" 2>/dev/null)" = 0 ] || not_ok "top, $1: status" "$work/out"
	compare "top, $1: the mode of the terminal differs"
}

test_top_keys() {
	export TERM=xterm
	top_keys q xq
	top_keys Ctrl-C "$(printf '\003')"
}

test_trace() {
	live trace trace 01:00.0
	dextctl config read 01:00.0 8 -w 2 >/dev/null
	dextctl config read 01:00.0 0x1000 -w 1 >/dev/null 2>&1
	within 'a call' has_line "$work/trace.out" 'ConfigRead\(offset=8'
	within 'a call of the client' has_line "$work/trace.out" " $client .* ProbeDMARegion"
	kill -INT "$live"
	ends 'trace, Ctrl-C' "$live" 0
	expect trace "$work/trace.out" '^TIME +CLIENT +PID +TOOK +CALL$' \
		'^[0-9:]{8}\.[0-9]{6} +[0-9]+ +([0-9]+|-) +[0-9.]+(ns|us|ms|s)  ConfigRead\(offset=8, width=2\) = kIOReturnSuccess: value=0x' \
		"ProbeDMARegion\(iova=0x100000, offset=8\) = kIOReturnSuccess: word=0$"
	timeout 60 dextctl trace 01:00.0 --json --count 3 >"$work/out" 2>/dev/null || not_ok 'trace --json'
	expect 'trace --json' "$work/out" \
		"\"pid\":$client,\"selector\":7,\"call\":\"ProbeDMARegion\",\"in\":\{\"iova\":\"0x0000000000100000\""
	[ "$(wc -l <"$work/out")" -eq 3 ] || not_ok 'trace --count 3' "$work/out"
}

# A reader that is stopped misses calls, and reports their number.
test_trace_overrun() {
	local missed
	live trace trace 01:00.0
	kill -STOP "$live"
	bar_dumps 3
	kill -CONT "$live"
	within 'calls not shown' has_line "$work/trace.out" '^\([0-9]+ calls? not shown\)$' && ok
	kill -TERM "$live"
	ends 'trace, SIGTERM' "$live" 0
	# The sum of the lines before.
	missed=$(awk -F '[( ]' '/ not shown\)$/ { sum += $2 } END { print sum }' "$work/trace.out")
	expect 'trace: the sum' "$work/trace.err" "^dextctl: note: 01:00.0: $missed calls? w(as|ere) lost: .* 4096"

	live trace trace 01:00.0 --json
	kill -STOP "$live"
	bar_dumps 3
	kill -CONT "$live"
	within 'calls not shown, JSON' has_line "$work/trace.out" '"missed":[1-9][0-9]*,"missed_total":[1-9]' && ok
	kill -TERM "$live"
	ends 'trace --json, SIGTERM' "$live" 0
}

# More calls than the trace holds (4096).
bar_dumps() {
	for _ in $(seq "$1"); do
		dextctl bar dump 01:00.0 0 0x4000 2048 -w 1 >/dev/null
	done
}

test_clients() {
	driver_start nvme,addr=01:00.0,size=1M,dma=dart,dma-bytes=1M,dma-maps=99
	test_dma
	test_top
	test_top_keys
	test_trace
	client_stop
	test_trace_overrun
	driver_stop
}

# --- Removal and end --------------------------------------------------------------------

# all_live - start every command that runs until a signal; set ${live_all[@]} to their processes
all_live() {
	live_all=()
	live irq irq watch 01:00.0
	live_all+=("$live")
	live trace trace 01:00.0
	live_all+=("$live")
	live top top 01:00.0
	live_all+=("$live")
}

# all_end STATUS PATTERN [PATTERN] - each ends with that status and one matching line of error; the
# second pattern is that of irq watch
all_end() {
	local i pattern names=(irq trace top)
	for i in 0 1 2; do
		pattern=$2
		[ "$i" -ne 0 ] || pattern=${3:-$2}
		ends "${names[i]}, $pattern" "${live_all[i]}" "$1"
		grep -v ': note: ' "$work/${names[i]}.err" >"$work/err"
		expect "${names[i]}: its error" "$work/err" "$pattern"
		[ "$(wc -l <"$work/err")" -eq 1 ] || not_ok "${names[i]}: one line" "$work/err"
	done
}

test_remove() {
	driver_start nvme,addr=01:00.0,size=1M edu,addr=02:00.0
	all_live
	dextctl remove 01:00.0 --json >"$work/out" 2>"$work/err" || not_ok remove "$work/err"
	expect remove "$work/out" '"removed": true'
	expect 'remove: note' "$work/err" 'note: 01:00.0: 1 other client has claimed it'
	all_end 1 'the driver or its device has gone|no device is left' \
		'^dextctl: 01:00.0: watching ended: the device was removed$'
	dextctl list >"$work/out"
	expect 'list after remove' "$work/out" '^02:00.0 '
	grep -q '^01:00.0' "$work/out" && not_ok 'a removed device is listed' "$work/out"
	says 1 '01:00.0: no such device \(there are: 02:00.0\)' info 01:00.0
	driver_stop
}

test_death() {
	driver_start nvme,addr=01:00.0,size=1M
	all_live
	kill -KILL "$driver"
	wait "$driver" 2>/dev/null
	all_end 1 'the driver( or its device)? has gone \(0x[0-9a-f]{8}\)|no device is left'
	says 1 'no driver service at' top
	says 1 'no driver service at' trace 01:00.0
}

# --- Roots and completion ---------------------------------------------------------------

test_roots() {
	driver_start nvme,addr=left/01:00.0,size=1M nvme,addr=right/01:00.0,size=2M \
		edu,addr=right/02:00.0
	dextctl list -n >"$work/out" || not_ok list "$work/out"
	expect 'list with roots' "$work/out" '^left/01:00.0 ' '^right/01:00.0 ' '^right/02:00.0 '
	dextctl info right/01:00.0 >"$work/out" || not_ok 'info with a root'
	expect 'info with a root' "$work/out" '^01:00.0 ' '^	Root: +right$'
	dextctl info 02:00.0 --json >"$work/out" || not_ok 'info without a root'
	expect 'info without a root' "$work/out" '"address": "right/02:00.0"' '"root": "right"'
	says 1 '2 devices have this address.* left/01:00.0, right/01:00.0$' info 01:00.0
	says 1 'middle/01:00.0: no such device' info middle/01:00.0
	says 2 'expected a PCI root of 1 to 15' info 'mid dle/01:00.0'
	completes 'left/01:00.0' info left/
	completes 'right/01:00.0 right/02:00.0' info r
	completes '00.0' info right/01 : 0	# without the part before the colon
	driver_stop
}

# completes EXPECTED WORD... - completion of the last word; words as bash splits them
completes() {
	local expected=$1 got
	shift
	# shellcheck disable=SC1091,SC2034
	got=$(
		. "$tree/tools/dextctl/bash-completion"
		COMP_WORDBREAKS=$' \t\n:'
		COMP_WORDS=(dextctl "$@")
		COMP_CWORD=$#
		_dextctl
		echo "${COMPREPLY[*]}"
	)
	if [ "$got" = "$expected" ]; then
		ok
	else
		not_ok "completion of $*: $got, not $expected"
	fi
}

test_completion() {
	driver_start nvme,addr=01:00.0,size=1M edu,addr=02:00.0
	completes 'list info config bar dma irq reset remove trace top bind unbind help' ''
	completes 'read write dump' help config ''
	completes 'trace top' t
	completes 'watch trigger' irq ''
	completes '01:00.0 02:00.0' trace ''
	completes '00.0' dma 02 : 0
	completes '01:00.0 02:00.0' -c 3 top ''
	completes '01:00.0 02:00.0' irq watch -m 1,2 ''
	completes '--mask' irq watch --m
	completes '--count' trace --c
	completes '' irq watch --mask ''
	completes '' frobnicate ''
	driver_stop
}

test_lspci
test_registers
test_irq
test_clients
test_remove
test_death
test_roots
test_completion

echo "dextctl: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
