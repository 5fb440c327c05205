# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The checks themselves: they must fail for a Mach-O library with changed code. Needs programs.sh.

# In each the first conditional branch is inverted, one function in each library.
SABOTAGED=(_apple_dext_config_read _apple_dext_map_bar _apple_dext_map_irq_state)

# property_fails FUNCTION - whether the property test fails with that function changed
#
# By its own verdict: not because the file could not be loaded, or within a time.
property_fails() {
	local library=$WORK/$1.dylib log=$OUTPUT_DIR/sabotaged$1.log status=0
	"$HERE/sabotage.py" "$CROSS/x86_64/$MACHO_CLIENT" "$1" "$library" || return 1
	PROGRAM_LIMIT=100 run_program property local "$library" "$log" || status=$?
	[[ $status -ne 0 && $status -ne 124 ]] && grep -q '^ERROR: the last one' "$log"
}

# A byte of code changed after the signature.
signature_is_checked() {
	local build=$WORK/arm64
	mkdir -p "$build/tools" "$build/client"
	cp "$CROSS/arm64/tools/dext-vfio-user" "$build/tools"
	"$HERE/sabotage.py" --byte "$CROSS/arm64/$MACHO_CLIENT" _apple_dext_config_read \
		"$build/$MACHO_CLIENT" || return 1
	"$HERE/check_files.py" "$ROOT" "$build" arm64 >"$OUTPUT_DIR/signature.log"
	grep -q '^not ok arm64: libapple-dext-client.1.dylib: code signature' "$OUTPUT_DIR/signature.log"
}

test_sabotage() {
	local function
	cross_end x86_64 && cross_end arm64 || return 1
	for function in "${SABOTAGED[@]}"; do
		try "a branch of $function inverted: the property test fails" property_fails "$function"
	done
	try "a byte of arm64 code changed: the signature does not match" signature_is_checked
}
