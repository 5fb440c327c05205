# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Checks of the disk image on the host, after the guest has powered off. Needs originals.sh.

# verify_filesystem IMAGE - check that the file system is undamaged and was unmounted
verify_filesystem() {
	local features
	e2fsck -f -n "$1" || return 1
	features=$(dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Filesystem features: *//p')
	[[ -n $features && $features != *needs_recovery* ]]
}

# verify_extract IMAGE NAME DIR - copy the directory /NAME of the image to DIR/NAME
#
# debugfs reads the file system: it is not mounted.
verify_extract() {
	mkdir -p "$3" && debugfs -R "rdump /$2 $3" "$1"
}

# verify_files DIR EXTRACTED - compare the files in EXTRACTED with the originals in DIR
#
# Prints "N of M", the number of equal files.
verify_files() {
	local same all
	files_manifest "$2" >"$1/manifest.found"
	files_listing "$2" >"$1/listing.found"
	all=$(wc -l <"$1/manifest")
	same=$(LC_ALL=C comm -12 <(LC_ALL=C sort "$1/manifest") <(LC_ALL=C sort "$1/manifest.found") | wc -l)
	printf '%s of %s' "$same" "$all"
	cmp "$1/manifest" "$1/manifest.found" >&2 && cmp "$1/listing" "$1/listing.found" >&2
}
