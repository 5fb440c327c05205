#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Usage: vm/fetch.sh
#
# Downloads what the virtual machines of ./test need, so that it can be done during the builds.
# A second process that needs the same files waits for this one.

set -u -o pipefail

# shellcheck source=vm/vm.sh
. "$(dirname "${BASH_SOURCE[0]}")/vm.sh"
# shellcheck source=vm/system.sh
. "$VM/system.sh"

work_begin
vmm_need
guest_tree_need
system_need bookworm
kernel_need trixie-backports
