# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Tests that the host's checks detect damage. Needs vm.sh, check() and try(), and the original
# files.

test_verifier() {
	test_verifier_files
	test_verifier_filesystem
	test_verifier_kernel_log
	test_image_check
}

test_verifier_files() {
	local found=$WORK/sample/files
	step "Host: reading the original files" verify_extract "$ORIGINALS/originals.img" files "$WORK/sample"
	try_files_equal "verifier: equal files are accepted" "$found"
	printf 'x' | dd of="$found/large" bs=1 seek=5000001 conv=notrunc status=none
	try_not "verifier: a changed byte is found" verify_files "$ORIGINALS" "$found"
	verify_extract "$ORIGINALS/originals.img" files "$WORK/sample" >/dev/null 2>&1
	mv "$found/small/file0001" "$WORK/file0001"
	try_not "verifier: a missing file is found" verify_files "$ORIGINALS" "$found"
	mv "$WORK/file0001" "$found/small/file0001"
	: >"$found/small/more"
	try_not "verifier: an additional file is found" verify_files "$ORIGINALS" "$found"
	rm "$found/small/more"
	ln -sf elsewhere "$found/link"
	try_not "verifier: a changed link is found" verify_files "$ORIGINALS" "$found"
	rm -rf "$WORK/sample"
}

# verify_files prints a count, which is discarded.
try_files_equal() {
	local status=0
	verify_files "$ORIGINALS" "$2" >/dev/null || status=$?
	check "$1" "$status"
}

test_verifier_filesystem() {
	local image=$WORK/damaged.img
	truncate -s 8M "$image"
	mke2fs -q -t ext4 "$image"
	try_quiet "verifier: an undamaged file system is accepted" verify_filesystem "$image"
	debugfs -w -R "clri /lost+found" "$image" >/dev/null 2>&1
	try_not "verifier: a damaged file system is found" verify_filesystem "$image"
	mke2fs -q -t ext4 -F "$image"
	debugfs -w -R "feature needs_recovery" "$image" >/dev/null 2>&1
	try_not "verifier: a file system that was not unmounted is found" verify_filesystem "$image"
	rm "$image"
}

# is_problem TEXT [ALLOWED] - whether guest_log_problems() prints this line of a kernel's log
is_problem() {
	printf '%s\n' "$1" >"$WORK/sample/kernel.log"
	[[ -n $(guest_log_problems "$WORK/sample" "${2:-}") ]]
}

test_verifier_kernel_log() {
	mkdir -p "$WORK/sample"
	try "kernel log: a timeout is a problem" \
		is_problem '<4>[    9.1] nvme nvme0: I/O 12 QID 1 timeout, completion polled'
	try "kernel log: failed I/O is a problem" \
		is_problem '<3>[    9.1] blk_update_request: I/O error, dev nvme0n1, sector 0 op 0x1'
	try "kernel log: a spurious interrupt is a problem" \
		is_problem '<3>[    9.1] irq 24: nobody cared (try booting with the "irqpoll" option)'
	try_not "kernel log: a successful probe is not" \
		is_problem '<6>[    3.0] nvme nvme0: pci function 0000:00:10.0'
	try_not "kernel log: a line that the caller allows is not" \
		is_problem '<6>[    3.0] nvme nvme0: Ignoring bogus Namespace Identifiers' 'bogus Namespace'
	rm -rf "$WORK/sample"
}

# image_is FILE OUTPUT - whether image_check(), for 64 MiB of files, prints OUTPUT
image_is() {
	[[ $(image_check "$1" $((64 << 20))) == "$2" ]]
}

test_image_check() {
	local image=$WORK/user.img
	truncate -s 256M "$image"
	try "--image: an empty image is formatted" image_is "$image" yes
	try_not "--image: an image that is too small is refused" image_check "$image" $((256 << 20))
	printf 'letters' | dd of="$image" bs=1 seek=100000000 conv=notrunc status=none
	try_not "--image: unknown data is refused" image_check "$image" $((64 << 20))
	mke2fs -q -t ext4 -F "$image"
	try "--image: ext4 is not formatted" image_is "$image" no
	try_not "--image: ext4 without enough free space is refused" image_check "$image" $((250 << 20))
	mke2fs -q -t ext3 -F "$image"
	try_not "--image: another file system is refused" image_check "$image" $((64 << 20))
	rm "$image"
}
