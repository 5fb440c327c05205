/* SPDX-License-Identifier: BSD-3-Clause */
/* Files that the loader refuses: it says which file, and what is wrong with it. */
#include "tests/lib/cmocka-all.h"
#include "tests/macos/loader/macho.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIBSYSTEM    "/usr/lib/libSystem.B.dylib"
#define COUNT(table) (sizeof(table) / sizeof(*(table)))

/* The smallest file with something to bind and something exported: one segment, all of it. */
struct file {
	struct mach_header header;
	struct segment_command segment;
	struct symtab_command symbols;
	struct dyld_info_command fixups;
	struct {
		struct string_command command;
		char name[36];
	} library;
	struct {
		struct load_command command;
		unsigned char bytes[16];
	} uuid;
	uint64_t pointer; /* to flock() */
	struct nlist symbol;
	char strings[16];
	unsigned char binds[32], rebases[8];
};
#define COMMAND(member, number) .cmd = (number), .cmdsize = sizeof(((struct file *)0)->member)

static const struct file good = {
	.header = { MH_MAGIC_64, CPU_X86_64, 3, MH_DYLIB, 5, 0, 0, 0 },
	.segment = { COMMAND(segment, LC_SEGMENT_64), .segname = "__DATA", .vmsize = 4096,
		.filesize = sizeof(struct file), .maxprot = 3, .initprot = 3 },
	.symbols = { COMMAND(symbols, LC_SYMTAB), .symoff = offsetof(struct file, symbol),
		.nsyms = 1, .stroff = offsetof(struct file, strings),
		.strsize = sizeof(((struct file *)0)->strings) },
	.fixups = { COMMAND(fixups, LC_DYLD_INFO_ONLY),
		.rebase_off = offsetof(struct file, rebases), .rebase_size = 1,
		.bind_off = offsetof(struct file, binds),
		.bind_size = sizeof(((struct file *)0)->binds) },
	.library = { { COMMAND(library, LC_LOAD_DYLIB), sizeof(struct string_command) },
		LIBSYSTEM },
	.uuid = { { COMMAND(uuid, LC_UUID) }, { 0 } },
	.symbol = { 1, N_EXT | N_SECT, 1, 0, offsetof(struct file, pointer) },
	.strings = "\0_answer",
	/* from library 1, "_flock", a pointer, in segment 0 at the offset of pointer: bind */
	.binds = { 0x11, 0x40, '_', 'f', 'l', 'o', 'c', 'k', 0, 0x51, 0x70,
		(offsetof(struct file, pointer) & 0x7f) | 0x80, offsetof(struct file, pointer) >> 7,
		0x90, 0x00 },
};

static struct macho_image *load(const void *bytes, size_t size, char *error)
{
	char path[] = "/tmp/test-loader-XXXXXX";
	int fd = mkstemp(path);
	struct macho_image *image;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	image = macho_load(path, error);
	unlink(path);
	return image;
}

static void test_a_good_file(void **state)
{
	char error[MACHO_ERROR_SIZE];
	struct macho_image *image = load(&good, sizeof(good), error);
	int (*const *answer)(int fd, int operation);

	(void)state;
	assert_non_null(image);
	answer = macho_symbol(image, "_answer");
	assert_non_null(answer);
	assert_ptr_equal(*(void *const *)answer, flock);
	assert_null(macho_symbol(image, "_question"));
	assert_null(macho_entry(image));
}

/* A change of the good file: some bytes of it, and what the loader says then. */
static const struct {
	const char *name;
	size_t at;
	uint32_t value;
	const char *says;
} changes[] = {
#define CHANGE(member, value, says)                                                                \
	{                                                                                          \
#member, offsetof(struct file, member), value, says                                \
	}
	CHANGE(uuid.command.cmd, 0x7f, "load command 0x7f is unknown"),
	CHANGE(uuid.command.cmd, 0x80000034, "load command 0x80000034 is unknown"),
	CHANGE(uuid.command.cmdsize, 0x1000, "load command 4 lies outside the file"),
	CHANGE(uuid.command.cmdsize, 0, "load command 4 lies outside the file"),
	CHANGE(uuid.command.cmdsize, 12, "load command 4 lies outside the file"),
	CHANGE(header.cputype, CPU_ARM64, "for arm64, expected x86_64"),
	CHANGE(header.cputype, 0x7, "for CPU type 0x7, expected x86_64"),
	CHANGE(header.magic, FAT_MAGIC, "a universal file, expected one for x86_64 alone"),
	CHANGE(header.magic, 0xfeedface, "no 64-bit Mach-O file (it begins with 0xfeedface)"),
	CHANGE(header.magic, 0x464c457f, "no 64-bit Mach-O file (it begins with 0x464c457f)"),
	CHANGE(header.filetype, 1, "file type 1, expected an executable or a dylib"),
	CHANGE(segment.filesize, sizeof(struct file) + 1, "segment __DATA lies outside the file"),
	CHANGE(segment.vmsize, 8, "segment __DATA lies outside the file"),
	CHANGE(segment.nsects, 1, "LC_SEGMENT_64 is too short"),
	CHANGE(binds[3], 'x' | 'l' << 8 | 'o' << 16 | 'c' << 24,
		"symbol _xlock is missing in " LIBSYSTEM),
	CHANGE(binds[0], 0x665f4012, "_flock: from library 2, it has 1"),
	CHANGE(binds[0], 0x00000030, "bind opcode 0x30 is unknown"),
	CHANGE(binds[9], 0x00000052, "bind type 2"),
	CHANGE(binds[11], 0x907fffff, "_flock is bound outside its segments"),
	CHANGE(rebases[0], 0x00000090, "rebase opcode 0x90 is unknown"),
	CHANGE(fixups.bind_off, 0x10000, "its opcodes lie outside the file"),
	CHANGE(fixups.weak_bind_size, 1, "weak symbols are not supported"),
};

static void test_changed_files_are_refused(void **state)
{
	char error[MACHO_ERROR_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++) {
		struct file file = good;

		memcpy((char *)&file + changes[i].at, &changes[i].value, sizeof(uint32_t));
		error[0] = '\0';
		if (load(&file, sizeof(file), error) || !strstr(error, "/tmp/test-loader-") ||
			!strstr(error, changes[i].says))
			fail_msg("%s: expected '%s', got '%s'", changes[i].name, changes[i].says,
				error);
	}
}

static void test_page_zero_has_no_content(void **state)
{
	char error[MACHO_ERROR_SIZE];
	struct file file = good;

	(void)state;
	strcpy(file.segment.segname, "__PAGEZERO");
	assert_null(load(&file, sizeof(file), error));
	assert_non_null(strstr(error, "segment __PAGEZERO has content"));
}

static void test_libraries_beside_it(void **state)
{
	char error[MACHO_ERROR_SIZE];
	struct file file = good;

	(void)state;
	strcpy(file.library.name, "@rpath/libnone.dylib");
	assert_null(load(&file, sizeof(file), error));
	assert_non_null(strstr(error, "@rpath/libnone.dylib: no LC_RPATH"));
	assert_null(macho_load("/nonexistent/libnone.dylib", error));
	assert_non_null(strstr(error, "/nonexistent/libnone.dylib: cannot be read: No such file"));
}

/* Nothing that is cut off or has one other byte crashes the loader. */
static void test_damaged_files(void **state)
{
	static const unsigned char masks[] = { 0x01, 0x80, 0xff };
	char error[MACHO_ERROR_SIZE];

	(void)state;
	for (size_t size = 0; size < sizeof(good); size++) {
		assert_null(load(&good, size, error));
		assert_non_null(strstr(error, "/tmp/test-loader-"));
	}
	for (size_t i = 0; i < sizeof(good) * COUNT(masks); i++) {
		unsigned char bytes[sizeof(good)];

		memcpy(bytes, &good, sizeof(good));
		bytes[i / COUNT(masks)] ^= masks[i % COUNT(masks)];
		if (!load(bytes, sizeof(bytes), error))
			assert_non_null(strstr(error, "/tmp/test-loader-"));
	}
}

/* As in Darwin's headers. */
struct darwin_msghdr {
	void *name;
	socklen_t name_size;
	struct iovec *vectors;
	int vector_count;
	void *control;
	socklen_t control_size;
	int flags;
};

/* Data without a descriptor, then data with one: a read begins with that data. */
static void test_descriptors_come_with_the_first_byte(void **state)
{
	ssize_t (*receive)(int fd, struct darwin_msghdr *message, int flags);
	char data[64] = "0123456789abcdef", control[64];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} rights = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec vector = { data, 16 };
	struct msghdr sent = { .msg_iov = &vector, .msg_iovlen = 1 };
	int ends[2], fd;

	(void)state;
	*(void **)&receive = libsystem_symbol("_recvmsg");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	memcpy(CMSG_DATA(&rights.header), &ends[0], sizeof(int));
	assert_int_equal(send(ends[0], data, 5, 0), 5);
	sent.msg_control = &rights;
	sent.msg_controllen = sizeof(rights);
	assert_int_equal(sendmsg(ends[0], &sent, 0), 16);
	for (ssize_t at = 0; at < 5 + 16;) {
		struct iovec rest = { data, sizeof(data) };
		struct darwin_msghdr message = {
			.vectors = &rest,
			.vector_count = 1,
			.control = control,
			.control_size = sizeof(control),
		};
		ssize_t got = receive(ends[1], &message, 0);

		assert_true(got > 0);
		assert_int_equal(message.control_size, at == 5 ? 12 + sizeof(int) : 0);
		at += got;
	}
	memcpy(&fd, control + 12, sizeof(fd));
	assert_int_equal(close(fd), 0);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_file),
		cmocka_unit_test(test_changed_files_are_refused),
		cmocka_unit_test(test_page_zero_has_no_content),
		cmocka_unit_test(test_libraries_beside_it),
		cmocka_unit_test(test_damaged_files),
		cmocka_unit_test(test_descriptors_come_with_the_first_byte),
	};

	libsystem_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
