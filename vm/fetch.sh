#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: vm/fetch.sh
#
# Downloads the files for the virtual machines of ./test, which runs this during the builds.
# Other processes that need the same files wait for this one.

set -u -o pipefail

# shellcheck source=vm/vm.sh
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
# shellcheck source=vm/system.sh
. "$VM_DIR/system.sh"

workdir_create
vmm_ensure
guest_tree_ensure
system_ensure bookworm
kernel_ensure trixie-backports
