# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The disk image behind the passed-through disk. What a user gives is the user's:
# only an image that is empty gets a file system.

# image_content FILE - print "empty", "ext4" or what else is in it
image_content() {
	local file=$1 type
	type=$(blkid -p -o value -s TYPE -s PTTYPE "$file" | tr '\n' ' ')
	type=${type% }
	if [[ -z $type ]]; then
		image_zero "$file" && type=empty || type="unknown data"
	fi
	printf '%s\n' "$type"
}

# No blocks at all is quick to see and the usual case.
image_zero() {
	[[ $(stat -c %b "$1") -eq 0 ]] || cmp -s -n "$(stat -c %s "$1")" "$1" /dev/zero
}

# image_check FILE BYTES - refuse an image that cannot take BYTES of files
#
# Prints "yes" when it is to be formatted, "no" when it has an ext4 file system.
image_check() {
	local file=$1 need=$2 content size
	[[ -f $file ]] || { echo "$file: not a file" && return 1; }
	[[ -r $file && -w $file ]] || { echo "$file: not readable and writable" && return 1; }
	size=$(stat -c %s "$file")
	content=$(image_content "$file")
	case $content in
	empty)
		# A tenth and a journal are the file system's own.
		((size >= need * 5 / 4 + (64 << 20))) || {
			echo "$file: $(mebibytes "$size"); at least $(mebibytes $((need * 5 / 4 + (64 << 20)))) are needed"
			return 1
		}
		echo yes
		;;
	ext4)
		image_room "$file" "$need" && echo no
		;;
	*)
		echo "$file: holds $content; expected an empty (all zero) image or an ext4 file system"
		return 1
		;;
	esac
}

image_room() {
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
