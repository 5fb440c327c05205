# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The original files: those that a guest copies to the passed-through disk, and that the copies
# are compared with. Needs kernel.sh.

# originals_make DIR SEED - create DIR/files, DIR/manifest (sha256sum's format) and DIR/listing
#
# The same SEED and the same packages give the same files, more than 64 MiB: kernel modules
# and documentation, generated files, and edge cases for file systems.
originals_make() {
	local files=$1/files
	mkdir -p "$files" || return 1
	cp "$GUEST_TREE"/boot/vmlinuz-* "$files/" &&
		cp -r "$GUEST_TREE/lib/modules/$GUEST_KERNEL_RELEASE/kernel"/{fs,lib,crypto} "$files/" &&
		cp -r "$GUEST_TREE/usr/share"/{doc,man} "$files/" &&
		originals_generate "$files" "$2" &&
		originals_edge_cases "$files" || return 1
	files_manifest "$files" >"$1/manifest" && files_listing "$files" >"$1/listing"
}

# A large file without repeated content, and many small files with parts of it.
originals_generate() {
	numbers_shuffled "$2" 3200000 >"$1/large" &&
		mkdir "$1/small" &&
		head -c 1000000 "$1/large" | split -a 4 -d -b 2347 - "$1/small/file"
}

# numbers_shuffled SEED COUNT - print a permutation of 1 to COUNT, determined by SEED
numbers_shuffled() {
	shuf -i "1-$2" --random-source=<(yes "$1" 2>/dev/null)
}

# Long names, deep directories, holes, links, empty files and directories, names in UTF-8.
originals_edge_cases() {
	local deep=$1 level long
	for level in {1..40}; do
		deep=$deep/level-$level
	done
	printf -v long '%0255d' 7
	mkdir -p "$deep" "$1/empty directory" &&
		echo "in a deep directory" >"$deep/file" &&
		echo "a name of 255 bytes" >"$1/$long" &&
		echo "umlauts and a space" >"$1/Zwölf Boxkämpfer" &&
		: >"$1/empty" &&
		ln -s small/file0000 "$1/link" &&
		truncate -s 8M "$1/sparse" &&
		echo "after the hole" >>"$1/sparse"
}

# originals_image DIR - create DIR/originals.img, a file system with files and manifest
originals_image() {
	local root=$1/root kib
	mkdir "$root" || return 1
	mv "$1/files" "$root/files" && cp "$1/manifest" "$root/" || return 1
	kib=$(du -sk --apparent-size "$root" | cut -f 1)
	truncate -s "$((kib * 5 / 4 + 16384))K" "$1/originals.img" &&
		mke2fs -q -t ext4 -O ^has_journal -E nodiscard -d "$root" "$1/originals.img" &&
		rm -rf "$root"
}

# files_manifest DIR - print the sha256 of each file below DIR, sorted by name
files_manifest() {
	(cd "$1" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

# files_listing DIR - print type, name and link target of everything below DIR
files_listing() {
	(cd "$1" && find . -mindepth 1 -printf '%y %P %l\n' | LC_ALL=C sort)
}

# files_bytes DIR - print the total size of the files below DIR
files_bytes() {
	find "$1" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%d", n }'
}
