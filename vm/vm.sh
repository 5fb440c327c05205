# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# All of vm/, for scripts that run a guest: source this. It sets ROOT (the source
# tree), VM (this directory) and PATH, and does nothing else.

VM=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # for those who source this
ROOT=$(dirname "$VM")
# Where mke2fs, depmod and others are, which a user's PATH may leave out.
PATH=$PATH:/usr/sbin:/sbin

# shellcheck source=vm/say.sh
. "$VM/say.sh"
# shellcheck source=vm/process.sh
. "$VM/process.sh"
# shellcheck source=vm/packages.sh
. "$VM/packages.sh"
# shellcheck source=vm/cache.sh
. "$VM/cache.sh"
# shellcheck source=vm/debian.sh
. "$VM/debian.sh"
# shellcheck source=vm/vmm.sh
. "$VM/vmm.sh"
# shellcheck source=vm/kernel.sh
. "$VM/kernel.sh"
# shellcheck source=vm/initramfs.sh
. "$VM/initramfs.sh"
# shellcheck source=vm/originals.sh
. "$VM/originals.sh"
# shellcheck source=vm/image.sh
. "$VM/image.sh"
# shellcheck source=vm/machine.sh
. "$VM/machine.sh"
# shellcheck source=vm/guest.sh
. "$VM/guest.sh"
# shellcheck source=vm/verify.sh
. "$VM/verify.sh"
# shellcheck source=vm/holdings.sh
. "$VM/holdings.sh"
# shellcheck source=vm/service.sh
. "$VM/service.sh"
# shellcheck source=vm/job.sh
. "$VM/job.sh"
