# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The main job: a guest creates a file system on the passed-through disk, writes files to it
# and checks them; then the host reads the image and compares the files. Needs all other
# files of this directory.

MODE="split"	# see service_start()
MEMORY=512M
CPUS=2
STEP_TIMEOUT=120	# seconds, for each step of a guest
SEED=		# of the generated files
IMAGE=		# the user's disk image; empty: create one
OUTPUT_DIR=	# for logs, and for the disk image if it is created

IMAGE_NEW_SIZE=512M

# job_prepare - get the VMM and the guest's kernel, and make the initramfs
job_prepare() {
	local free
	free=$(df --output=avail -B 1M "$WORK" | tail -n 1)
	((free >= 640)) || die "$WORK: $free MiB free; 640 MiB are needed; set TMPDIR to another directory"
	packages_ensure "${PACKAGES_VM[@]}"
	vmm_ensure
	guest_tree_ensure
	INITRAMFS=$WORK/initramfs.gz
	step "Making the guest's initramfs" initramfs_make "$INITRAMFS" || exit 1
}

# job_originals - make the files to write, and a disk image that has them, for the guest
job_originals() {
	ORIGINALS=$WORK/originals
	SEED=${SEED:-$((SRANDOM % 1000000))}
	step "Making test files, seed $SEED" originals_make "$ORIGINALS" "$SEED" || exit 1
	ORIGINALS_BYTES=$(files_bytes "$ORIGINALS/files")
	ORIGINALS_COUNT=$(wc -l <"$ORIGINALS/manifest")
	step "Making a disk image with them" originals_image "$ORIGINALS" || exit 1
}

# job_image BYTES - set DISK, the image of the passed-through disk, and FORMAT, "yes" when the
# guest must create a file system
#
# A user's image must have space for BYTES of files. When BYTES is 0, it is not checked.
job_image() {
	local need=$1
	DISK=$WORK/disk.img
	if [[ -z $IMAGE ]]; then
		truncate -s "$IMAGE_NEW_SIZE" "$OUTPUT_DIR/disk.img" || exit 1
		ln -s "$OUTPUT_DIR/disk.img" "$DISK"
		FORMAT=yes
		return 0
	fi
	ln -s "$(realpath "$IMAGE")" "$DISK"
	FORMAT=no
	[[ $need -eq 0 ]] || FORMAT=$(image_check "$IMAGE" "$need") || die "$FORMAT"
}

# job_machine WORD... - set VM_COMMAND, with the disk, and WORDs on the guest kernel's command
# line
job_machine() {
	machine_command "$@"
	if [[ $MODE == reference ]]; then
		machine_qemu_nvme "$DISK"
	else
		machine_passthrough "$WORK/vfio-user.sock"
	fi
}

# job_run DIR - run the job; the programs must be running
#
# Adds lines to the table of results. Logs go to DIR.
job_run() {
	local dir=$1 status=0 directory
	directory=dextpci-run-$(date +%Y%m%d-%H%M%S)
	job_machine dextpci.job=run "dextpci.format=$FORMAT" "dextpci.directory=$directory"
	machine_disk "$ORIGINALS/originals.img"
	guest_start "$dir"
	guest_wait "$dir" "$STEP_TIMEOUT" || status=$?
	result_add "VMM" "$VMM_VERSION, unmodified" 0
	result_add "guest" "Linux $GUEST_KERNEL_RELEASE, $CPUS CPUs, $MEMORY" 0
	if [[ $status -ne 0 ]]; then
		result_add "guest's job" "$GUEST_FAILURE" 1
		job_show_logs "$dir"
		return 1
	fi
	job_check_guest "$dir"
	job_check_image "$dir" "$directory"
}

# job_show_logs DIR - print the last log lines of a guest and of the programs that serve it
job_show_logs() {
	local log
	service_print_exited
	for log in "$1/console.log" "$1/qemu.log" "$SERVER_LOG" "$DEXTD_LOG"; do
		show_tail "$log"
	done
}

# Adds the results that the guest has reported, and the check of its kernel's log.
job_check_guest() {
	local dir=$1 bytes checked interrupts kind
	bytes=$(guest_value "$dir" bytes)
	checked=$(guest_value "$dir" checked)
	read -r interrupts kind < <(guest_value "$dir" interrupts)
	result_add "disk in the guest" "$(job_disk_description "$dir"), $(mebibytes "$bytes")" \
		"$((bytes != $(stat -L -c %s "$DISK")))"
	result_add "interrupts" "$interrupts, $kind, $(guest_value "$dir" queues) I/O queues" "$((interrupts == 0))"
	if [[ $FORMAT == yes ]]; then
		result_add "file system made" "ext4, $(job_step_seconds "$dir" mkfs)" 0
	else
		result_add "file system found" "ext4, not formatted" 0
	fi
	result_add "written and synced" \
		"$ORIGINALS_COUNT files, $(mebibytes "$ORIGINALS_BYTES"), seed $SEED, $(job_step_seconds "$dir" copy sync)" \
		"$((ORIGINALS_BYTES < 64 << 20))"
	result_add "checked in the guest" "$checked files after a remount, $(job_step_seconds "$dir" remount check)" \
		"$((checked != ORIGINALS_COUNT))"
	job_check_kernel_log "$dir"
}

job_check_kernel_log() {
	local problems allowed=
	# The kernel logs this for QEMU's device, whose namespace has no identifier.
	[[ $MODE != reference ]] || allowed='Ignoring bogus Namespace Identifiers'
	problems=$(guest_log_problems "$1" "$allowed")
	if [[ ! -s $1/kernel.log ]]; then
		result_add "guest kernel's log" "missing" 1
	elif [[ -z $problems ]]; then
		result_add "guest kernel's log" "$(wc -l <"$1/kernel.log") lines, no errors of the disk" 0
	else
		result_add "guest kernel's log" "$(wc -l <<<"$problems") errors of the disk" 1
		printf '  --- errors in the guest kernel'\''s log:\n%s\n' "$problems" >&2
	fi
}

job_disk_description() {
	printf '%s %s at %s' "$(guest_value "$1" model | sed 's/ *$//')" \
		"$(guest_value "$1" identity | tr -d x | sed 's/0\(....\)/\1/g')" "$(guest_value "$1" address)"
}

# job_step_seconds DIR STEP... - print the sum of their durations
job_step_seconds() {
	local dir=$1 name sum=0
	shift
	for name in "$@"; do
		sum=$((sum + $(guest_step_ms "$dir" "$name")))
	done
	printf '%s s' "$(seconds "$sum")"
}

# Adds the results of the checks on the host.
job_check_image() {
	local dir=$1 directory=$2 same status=0
	if [[ $MODE != reference ]]; then
		service_running || status=1
		result_add "programs, still running" "$(service_description "$MODE")" "$status"
	fi
	status=0
	step "Host: checking the file system" verify_filesystem "$DISK" || status=1
	result_add "file system, on the host" "$([[ $status -eq 0 ]] && echo "clean and unmounted" || echo "damaged")" \
		"$status"
	status=0
	step "Host: reading the files from the image" verify_extract "$DISK" "$directory" "$WORK/found" || status=1
	same=$(verify_files "$ORIGINALS" "$WORK/found/$directory" 2>"$dir/compare.log") || status=1
	result_add "compared on the host" "$same files have the same sha256, no other files" "$status"
	show_tail "$dir/compare.log"
	rm -rf "$WORK/found"
}
