# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# A client that is killed during transfers: its memory is unpinned, and the device serves the
# next client.

sh -c 'while :; do ./example-nvme 00:04.0 write 0 32768 </tmp/data || exit; done' &
loop=$!
faults_before=$(dmesg | grep -c "DMAR: \[DMA")
check "$KERNEL: killed client: it has memory pinned" retry_for 20 something_pinned 100
kill -9 $loop
killall -9 example-nvme 2>/dev/null
wait $loop 2>/dev/null
check "$KERNEL: killed client: no memory remains pinned" retry_for 5 nothing_pinned
# Bus mastering is disabled before anything is unmapped.
no_new_faults() {
	[ "$(dmesg | grep -c "DMAR: \[DMA")" -eq "$faults_before" ]
}
check "$KERNEL: killed client: the IOMMU has reported no fault" no_new_faults
check "$KERNEL: killed client: the device is free" retry_for 5 prints '^00:04.0 .* free ' dextctl list
check "$KERNEL: killed client: bus mastering is disabled" prints 'BusMaster-' dextctl info 00:04.0
check "$KERNEL: killed client: the next one is served" ./example-nvme 00:04.0 identify

kill -TERM "$DEXTD"
wait "$DEXTD"
check "$KERNEL: dextd exits cleanly" test $? -eq 0
cat /tmp/dextd.log
