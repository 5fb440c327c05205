# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The disk image of the passed-through disk. A file system is created only on an empty image,
# so that no data of the user is overwritten.

# image_content FILE - print "empty", "ext4" or another type of content
image_content() {
	local file=$1 type
	type=$(blkid -p -o value -s TYPE -s PTTYPE "$file" | tr '\n' ' ')
	type=${type% }
	if [[ -z $type ]]; then
		image_is_zero "$file" && type=empty || type="unknown data"
	fi
	printf '%s\n' "$type"
}

# A file without allocated blocks, the usual case, need not be read.
image_is_zero() {
	[[ $(stat -c %b "$1") -eq 0 ]] || cmp -s -n "$(stat -c %s "$1")" "$1" /dev/zero
}

# image_check FILE BYTES - check that BYTES of files can be written to an image
#
# Prints "yes" when a file system must be created, and "no" when it has an ext4 file system;
# an error message when it returns 1.
image_check() {
	local file=$1 need=$2 content size
	[[ -f $file ]] || { echo "$file: not a file" && return 1; }
	[[ -r $file && -w $file ]] || { echo "$file: not readable and writable" && return 1; }
	size=$(stat -c %s "$file")
	content=$(image_content "$file")
	case $content in
	empty)
		# The file system's metadata and reserved blocks, and its journal.
		((size >= need * 5 / 4 + (64 << 20))) || {
			echo "$file: $(mebibytes "$size"); at least $(mebibytes $((need * 5 / 4 + (64 << 20)))) are needed"
			return 1
		}
		echo yes
		;;
	ext4)
		image_check_free_space "$file" "$need" && echo no
		;;
	*)
		echo "$file: holds $content; expected an empty (all zero) image or an ext4 file system"
		return 1
		;;
	esac
}

image_check_free_space() {
	local free
	free=$(dumpe2fs -h "$1" 2>/dev/null | awk -F ': *' '
		$1 == "Free blocks" { blocks = $2 }
		$1 == "Reserved block count" { reserved = $2 }
		$1 == "Block size" { size = $2 }
		END { printf "%d", (blocks - reserved) * size }')
	((free >= $2 * 9 / 8)) || {
		echo "$1: $(mebibytes "$free") free; at least $(mebibytes $(($2 * 9 / 8))) are needed"
		return 1
	}
}
