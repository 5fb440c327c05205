# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# To be sourced by scripts that run a guest. Defines all functions of this directory, and sets
# ROOT (the source tree), VM_DIR (this directory) and PATH.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for scripts that source this
ROOT=$(dirname "$VM_DIR")
# The directories of mke2fs, depmod and others, which may be missing in a user's PATH.
PATH=$PATH:/usr/sbin:/sbin

# shellcheck source=vm/output.sh
. "$VM_DIR/output.sh"
# shellcheck source=vm/process.sh
. "$VM_DIR/process.sh"
# shellcheck source=vm/packages.sh
. "$VM_DIR/packages.sh"
# shellcheck source=vm/cache.sh
. "$VM_DIR/cache.sh"
# shellcheck source=vm/debian.sh
. "$VM_DIR/debian.sh"
# shellcheck source=vm/vmm.sh
. "$VM_DIR/vmm.sh"
# shellcheck source=vm/kernel.sh
. "$VM_DIR/kernel.sh"
# shellcheck source=vm/initramfs.sh
. "$VM_DIR/initramfs.sh"
# shellcheck source=vm/originals.sh
. "$VM_DIR/originals.sh"
# shellcheck source=vm/image.sh
. "$VM_DIR/image.sh"
# shellcheck source=vm/machine.sh
. "$VM_DIR/machine.sh"
# shellcheck source=vm/guest.sh
. "$VM_DIR/guest.sh"
# shellcheck source=vm/verify.sh
. "$VM_DIR/verify.sh"
# shellcheck source=vm/resources.sh
. "$VM_DIR/resources.sh"
# shellcheck source=vm/service.sh
. "$VM_DIR/service.sh"
# shellcheck source=vm/job.sh
. "$VM_DIR/job.sh"
