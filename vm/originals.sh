# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The files that a guest writes to the passed-through disk, as the host has them.
# Needs kernel.sh.

# originals_make DIR SEED - make DIR/files and DIR/manifest (sha256sum's format)
#
# The same SEED and the same packages make the same files, over 64 MiB of them:
# kernel modules and documents as they come, and what file systems find hard.
originals_make() {
	local files=$1/files
	mkdir -p "$files" || return 1
	cp "$GUEST_TREE"/boot/vmlinuz-* "$files/" &&
		cp -r "$GUEST_TREE/lib/modules/$GUEST_KERNEL/kernel"/{fs,lib,crypto} "$files/" &&
		cp -r "$GUEST_TREE/usr/share"/{doc,man} "$files/" &&
		originals_generated "$files" "$2" &&
		originals_awkward "$files" || return 1
	files_manifest "$files" >"$1/manifest" && files_listing "$files" >"$1/listing"
}

# A large file without repetition, and the beginning of it in many small pieces.
originals_generated() {
	numbers_shuffled "$2" 3200000 >"$1/large" &&
		mkdir "$1/small" &&
		head -c 1000000 "$1/large" | split -a 4 -d -b 2347 - "$1/small/file"
}

# A permutation of 1 to COUNT, determined by SEED.
numbers_shuffled() {
	shuf -i "1-$2" --random-source=<(yes "$1" 2>/dev/null)
}

# Long names, deep directories, holes, links, emptiness, names with odd letters.
originals_awkward() {
	local deep=$1 level long
	for level in {1..40}; do
		deep=$deep/level-$level
	done
	printf -v long '%0255d' 7
	mkdir -p "$deep" "$1/empty directory" &&
		echo "at the bottom" >"$deep/file" &&
		echo "a name of 255 bytes" >"$1/$long" &&
		echo "umlauts and a space" >"$1/Zwölf Boxkämpfer" &&
		: >"$1/empty" &&
		ln -s small/file0000 "$1/link" &&
		truncate -s 8M "$1/sparse" &&
		echo "beyond the hole" >>"$1/sparse"
}

# originals_image DIR - make DIR/originals.img, a file system with files and manifest
originals_image() {
	local root=$1/root kib
	mkdir "$root" || return 1
	mv "$1/files" "$root/files" && cp "$1/manifest" "$root/" || return 1
	kib=$(du -sk --apparent-size "$root" | cut -f 1)
	truncate -s "$((kib * 5 / 4 + 16384))K" "$1/originals.img" &&
		mke2fs -q -t ext4 -O ^has_journal -E nodiscard -d "$root" "$1/originals.img" &&
		rm -rf "$root"
}

# files_manifest DIR - what is in the files below DIR, sorted by name
files_manifest() {
	(cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

# files_listing DIR - which files, directories and links there are below DIR
files_listing() {
	(cd "$1" && find . -mindepth 1 -printf '%y %P %l\n' | LC_ALL=C sort)
}

# files_bytes DIR
files_bytes() {
	find "$1" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%d", n }'
}
