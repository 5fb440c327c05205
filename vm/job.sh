# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The main job: a guest makes a file system on the passed-through disk, writes files
# and checks them; then the host opens the image and compares. Needs all the others.

MODE="split"	# as service_start() has it
MEMORY=512M
CPUS=2
LIMIT=120	# seconds that a guest may take for one of its steps
SEED=		# of the originals
IMAGE=		# the user's; empty: a new one
FILES=		# logs, and a new image

IMAGE_NEW_SIZE=512M

# job_prepare - everything that a guest needs, up to its initramfs
job_prepare() {
	local free
	free=$(df --output=avail -B 1M "$WORK" | tail -n 1)
	((free >= 640)) || die "$WORK: $free MiB free; 640 MiB are needed; TMPDIR names another place"
	packages_need "${PACKAGES_VM[@]}"
	vmm_need
	guest_tree_need
	INITRAMFS=$WORK/initramfs.gz
	step "Making the guest's initramfs" initramfs_make "$INITRAMFS" || exit 1
}

# job_originals - the files, and the image that hands them to the guest
job_originals() {
	ORIGINALS=$WORK/originals
	SEED=${SEED:-$((SRANDOM % 1000000))}
	step "Making files to write, seed $SEED" originals_make "$ORIGINALS" "$SEED" || exit 1
	ORIGINALS_BYTES=$(files_bytes "$ORIGINALS/files")
	ORIGINALS_COUNT=$(wc -l <"$ORIGINALS/manifest")
	step "Packing them into a disk" originals_image "$ORIGINALS" || exit 1
}

# job_image BYTES - set DISK, what is passed through, and FORMAT: whether it is formatted
#
# It must take BYTES of files; 0: nothing is to be written, take it as it is.
job_image() {
	local need=$1
	DISK=$WORK/disk.img
	if [[ -z $IMAGE ]]; then
		truncate -s "$IMAGE_NEW_SIZE" "$FILES/disk.img" || exit 1
		ln -s "$FILES/disk.img" "$DISK"
		FORMAT=yes
		return 0
	fi
	ln -s "$(realpath "$IMAGE")" "$DISK"
	FORMAT=no
	[[ $need -eq 0 ]] || FORMAT=$(image_check "$IMAGE" "$need") || die "$FORMAT"
}

# job_machine WORD... - MACHINE with the disk, and WORDs on the guest kernel's command line
job_machine() {
	machine_command "$@"
	if [[ $MODE == reference ]]; then
		machine_reference "$DISK"
	else
		machine_passthrough "$WORK/vfio-user.sock"
	fi
}

# job_run DIR - the job, on a service that is up; adds to the table; logs go to DIR
job_run() {
	local dir=$1 status=0 directory
	directory=dextpci-run-$(date +%Y%m%d-%H%M%S)
	job_machine dextpci.job=run "dextpci.format=$FORMAT" "dextpci.directory=$directory"
	machine_disk "$ORIGINALS/originals.img"
	guest_start "$dir"
	guest_wait "$dir" "$LIMIT" || status=$?
	prove "VMM" "$VMM_WHAT, stock" 0
	prove "guest" "Linux $GUEST_KERNEL, $CPUS CPUs, $MEMORY" 0
	if [[ $status -ne 0 ]]; then
		prove "guest's work" "$GUEST_FAILURE" 1
		job_show_logs "$dir"
		return 1
	fi
	job_prove_guest "$dir"
	job_prove_host "$dir" "$directory"
}

# job_show_logs DIR - what a guest and the programs under it said last
job_show_logs() {
	local log
	service_deaths
	for log in "$1/console.log" "$1/qemu.log" "$SERVER_LOG" "$DEXTD_LOG"; do
		show_tail "$log"
	done
}

# What the guest says of itself, and what its kernel's log says of it.
job_prove_guest() {
	local dir=$1 bytes checked interrupts kind
	bytes=$(guest_value "$dir" bytes)
	checked=$(guest_value "$dir" checked)
	read -r interrupts kind < <(guest_value "$dir" interrupts)
	prove "disk in the guest" "$(job_disk_what "$dir"), $(mebibytes "$bytes")" \
		"$((bytes != $(stat -L -c %s "$DISK")))"
	prove "interrupts" "$interrupts, $kind, $(guest_value "$dir" queues) I/O queues" "$((interrupts == 0))"
	if [[ $FORMAT == yes ]]; then
		prove "file system made" "ext4, $(job_took "$dir" mkfs)" 0
	else
		prove "file system found" "ext4, left as it is" 0
	fi
	prove "written and synced" \
		"$ORIGINALS_COUNT files, $(mebibytes "$ORIGINALS_BYTES"), seed $SEED, $(job_took "$dir" copy sync)" \
		"$((ORIGINALS_BYTES < 64 << 20))"
	prove "checked in the guest" "$checked files after a remount, $(job_took "$dir" remount check)" \
		"$((checked != ORIGINALS_COUNT))"
	job_prove_kernel_log "$dir"
}

job_prove_kernel_log() {
	local complaints allowed=
	# Said of QEMU's own device, whose namespace has no identifier.
	[[ $MODE != reference ]] || allowed='Ignoring bogus Namespace Identifiers'
	complaints=$(guest_complaints "$1" "$allowed")
	if [[ ! -s $1/kernel.log ]]; then
		prove "guest kernel's log" "missing" 1
	elif [[ -z $complaints ]]; then
		prove "guest kernel's log" "$(wc -l <"$1/kernel.log") lines, no complaint about the disk" 0
	else
		prove "guest kernel's log" "$(wc -l <<<"$complaints") complaints about the disk" 1
		printf '  --- the guest kernel complains:\n%s\n' "$complaints" >&2
	fi
}

job_disk_what() {
	printf '%s %s at %s' "$(guest_value "$1" model | sed 's/ *$//')" \
		"$(guest_value "$1" identity | tr -d x | sed 's/0\(....\)/\1/g')" "$(guest_value "$1" address)"
}

# job_took DIR STEP... - together
job_took() {
	local dir=$1 name sum=0
	shift
	for name in "$@"; do
		sum=$((sum + $(guest_took "$dir" "$name")))
	done
	printf '%s s' "$(seconds "$sum")"
}

# What the host sees for itself.
job_prove_host() {
	local dir=$1 directory=$2 same status=0
	if [[ $MODE != reference ]]; then
		service_alive || status=1
		prove "programs, still running" "$(service_what "$MODE")" "$status"
	fi
	status=0
	step "Host: checking the file system" verify_filesystem "$DISK" || status=1
	prove "file system, on the host" "$([[ $status -eq 0 ]] && echo "clean and unmounted" || echo "damaged")" \
		"$status"
	status=0
	step "Host: reading the files from the image" verify_extract "$DISK" "$directory" "$WORK/found" || status=1
	same=$(verify_files "$ORIGINALS" "$WORK/found/$directory" 2>"$dir/compare.log") || status=1
	prove "compared on the host" "$same files agree by sha256, and nothing else is there" "$status"
	show_tail "$dir/compare.log"
	rm -rf "$WORK/found"
}
