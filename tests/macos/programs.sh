# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The tests of tests/programs, over the Mach-O client library for x86_64: the library by
# loader/face.c, in front of the one for Linux. Needs cross.sh.

MACHO_CLIENT=client/libapple-dext-client.1.dylib

# In this order; the two transports run side by side.
PROGRAMS_SOCKET=(property abi client client-irq dma-regions edu extensions hotplug odd odd-resets
	crowd death watch)
PROGRAMS_LOCAL=(property abi client client-irq dma-regions edu extensions hotplug odd odd-resets
	apple-iokit fallback)
PROPERTY_OPERATIONS=100000
PROGRAM_LIMIT=600	# seconds

# What Apple's IOKit has no counterpart for: calls that pass descriptors, and the status of our
# runtime. PROGRAM [FUNCTION], and why.
NO_DESCRIPTORS="Apple's IOKit passes no file descriptors to a driver"
NO_STATUS="Apple's IOKit does not say why a driver service cannot be reached"
ABSENT=(
	"bar-descriptor|$NO_DESCRIPTORS"
	"eventfds|$NO_DESCRIPTORS"
	"reach|$NO_STATUS"
	"dma-regions test_descriptors|$NO_DESCRIPTORS"
	"dma-regions test_refused_descriptors|$NO_DESCRIPTORS"
	"dma-regions test_batches_of_descriptors|$NO_DESCRIPTORS"
)

# absent_functions PROGRAM - those to be left out, with commas between
absent_functions() {
	local row
	for row in "${ABSENT[@]}"; do
		row=${row%%|*}
		[[ $row != "$1 "* ]] || printf '%s\n' "${row#* }"
	done | paste -s -d ,
}

# run_program PROGRAM TRANSPORT [LIBRARY [LOG]] - over the Mach-O library
#
# LD_LIBRARY_PATH as meson sets it, which must not bring the library for Linux back.
run_program() {
	env MACHO_LIBRARY="${3:-$CROSS/x86_64/$MACHO_CLIENT}" MACHO_SKIP="$(absent_functions "$1")" \
		LD_PRELOAD="$BUILD/tests/macos/loader/libmacho-client.so" \
		LD_LIBRARY_PATH="$BUILD/client:$BUILD/iokit" \
		DEXT_TEST_TRANSPORT="$2" DEXTD="$BUILD/tools/dextd" \
		PROPERTY_OPERATIONS=$PROPERTY_OPERATIONS \
		timeout "$PROGRAM_LIMIT" "$BUILD/tests/test-$1" \
		>"${4:-$OUTPUT_DIR/$1-$2.log}" 2>&1
}

# run_lane TRANSPORT PROGRAM... - one after the other; the exit status of each to a file
run_lane() {
	local transport=$1 program status
	shift
	for program in "$@"; do
		printf '%s\n' "$program ($transport)" >&3
		status=0
		run_program "$program" "$transport" || status=$?
		printf '%s\n' "$status" >"$WORK/$program-$transport.status"
	done
}

run_lanes() {
	run_lane socket "${PROGRAMS_SOCKET[@]}" &
	run_lane local "${PROGRAMS_LOCAL[@]}"
	wait
}

# check_lane TRANSPORT PROGRAM...
check_lane() {
	local transport=$1 program status
	shift
	for program in "$@"; do
		status=$(cat "$WORK/$program-$transport.status")
		check "x86_64: $program ($transport)" "$status"
		[[ $status -eq 0 ]] || show_tail "$OUTPUT_DIR/$program-$transport.log" 20
	done
}

# A client library that stands in front of the Mach-O one would be tested in its place.
refuses_another_library() {
	LD_PRELOAD="$BUILD/client/libapple-dext-client.so:$BUILD/tests/macos/loader/libmacho-client.so" \
		MACHO_LIBRARY="$CROSS/x86_64/$MACHO_CLIENT" "$BUILD/tests/test-abi" \
		>"$OUTPUT_DIR/another-library.log" 2>&1
	[[ $? -eq 127 ]] && grep -q 'another client library in front' "$OUTPUT_DIR/another-library.log"
}

test_programs() {
	local row
	cross_end x86_64 || return 1
	step "Running programs over the Mach-O library" run_lanes
	check_lane socket "${PROGRAMS_SOCKET[@]}"
	check_lane local "${PROGRAMS_LOCAL[@]}"
	try "x86_64: property (socket) has done $PROPERTY_OPERATIONS operations" \
		grep -q "PROPERTY_OPERATIONS=$PROPERTY_OPERATIONS\$" "$OUTPUT_DIR/property-socket.log"
	try "a program with the library for Linux in front is refused" refuses_another_library
	for row in "${ABSENT[@]}"; do
		skip "${row%%|*}" "${row#*|}"
	done
}
