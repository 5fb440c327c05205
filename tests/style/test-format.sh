#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# All C files are as clang-format 14 writes them with the .clang-format of the tree. Other versions
# format some constructs in other ways; where this one is not installed the test is skipped.
# Usage: test-format.sh SOURCE
set -u
cd "$1" || exit 1

format=$(command -v clang-format-14 || command -v clang-format) || {
	echo "skipped: clang-format is not installed"
	exit 77
}
"$format" --version | grep -q 'version 14\.' || {
	echo "skipped: expected clang-format 14, found $("$format" --version)"
	exit 77
}

# The check itself: a line that is not formatted is found.
if printf 'int  x ;\n' | "$format" --dry-run -Werror --assume-filename=x.c >/dev/null 2>&1; then
	echo "not ok - clang-format accepts a line that is not formatted"
	exit 1
fi

find . \( -name 'build*' -o -name '.?*' \) -prune -o -type f -name '*.[ch]' -print0 |
	xargs -0 -n 64 -P 2 "$format" --dry-run -Werror || {
	echo "not ok - format the files above: clang-format -i FILE"
	exit 1
}
