#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: test-software.sh TEST_DEVICE EXAMPLES TOOLS
#
# The device suite and the example drivers against software devices: the same programs that
# the guest of tests/vm/test-vfio.sh runs against physical ones. The examples also run
# on devices whose IOMMU chooses the bus addresses.

set -eu
test_device=$1 examples=$2 tools=$3
dir=$(mktemp -d)
DEXT_SOCKET=$dir/dextd.sock
export DEXT_SOCKET
truncate -s 64M "$dir/disk.img"
"$tools/dextd" --device "nvme,addr=01:00.0,image=$dir/disk.img" --device edu,addr=02:00.0 \
	--device nvme,addr=03:00.0,size=64M,dma=dart \
	--device edu,addr=04:00.0,dma=dart,dma-mask=64 \
	2>"$dir/dextd.log" &
dextd=$!
trap 'kill $dextd; cat "$dir/dextd.log"; rm -rf "$dir"' EXIT
i=0
until "$tools/dextctl" list >/dev/null 2>&1; do
	i=$((i + 1))
	[ $i -lt 200 ] || exit 1
	sleep 0.1
done

"$test_device" nvme 01:00.0
"$test_device" edu 02:00.0
"$examples/example-edu" 02:00.0
"$examples/example-edu" 04:00.0
head -c 16777216 /dev/urandom >"$dir/data"
for disk in 01:00.0 03:00.0; do
	"$examples/example-nvme" $disk identify
	"$examples/example-nvme" $disk write 0 32768 <"$dir/data"
	"$examples/example-nvme" $disk read 0 32768 >"$dir/back"
	cmp "$dir/data" "$dir/back"
done
