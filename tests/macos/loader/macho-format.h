/* SPDX-License-Identifier: BSD-3-Clause */
/* The Mach-O file format, as far as ld64.lld 14 writes it for x86_64 (mach-o/loader.h). */
#ifndef MACHO_FORMAT_H
#define MACHO_FORMAT_H

#include <stdint.h>

#define MH_MAGIC_64 0xfeedfacfu
#define FAT_MAGIC   0xbebafecau /* universal files are big-endian */

enum { CPU_X86_64 = 0x01000007, CPU_ARM64 = 0x0100000c };
enum { MH_EXECUTE = 2, MH_DYLIB = 6 };

struct mach_header {
	uint32_t magic, cputype, cpusubtype, filetype, ncmds, sizeofcmds, flags, reserved;
};

#define LC_REQ_DYLD 0x80000000u
enum {
	LC_SYMTAB = 0x2,
	LC_DYSYMTAB = 0xb,
	LC_LOAD_DYLIB = 0xc,
	LC_ID_DYLIB = 0xd,
	LC_LOAD_DYLINKER = 0xe,
	LC_SEGMENT_64 = 0x19,
	LC_UUID = 0x1b,
	LC_CODE_SIGNATURE = 0x1d,
	LC_FUNCTION_STARTS = 0x26,
	LC_DATA_IN_CODE = 0x29,
	LC_SOURCE_VERSION = 0x2a,
	LC_BUILD_VERSION = 0x32,
};
#define LC_RPATH	  (0x1cu | LC_REQ_DYLD)
#define LC_DYLD_INFO_ONLY (0x22u | LC_REQ_DYLD)
#define LC_MAIN		  (0x28u | LC_REQ_DYLD)

struct load_command {
	uint32_t cmd, cmdsize;
};

struct segment_command {
	uint32_t cmd, cmdsize;
	char segname[16];
	uint64_t vmaddr, vmsize, fileoff, filesize;
	uint32_t maxprot, initprot, nsects, flags;
};

enum {
	S_MOD_INIT_FUNC_POINTERS = 0x9,
	S_THREAD_LOCAL_REGULAR = 0x11,
	S_THREAD_LOCAL_ZEROFILL = 0x12,
	S_THREAD_LOCAL_VARIABLES = 0x13,
	S_INIT_FUNC_OFFSETS = 0x16,
	SECTION_TYPE = 0xff,
};

struct section {
	char sectname[16], segname[16];
	uint64_t addr, size;
	uint32_t offset, align, reloff, nreloc, flags, reserved1, reserved2, reserved3;
};

struct dyld_info_command {
	uint32_t cmd, cmdsize;
	uint32_t rebase_off, rebase_size, bind_off, bind_size, weak_bind_off, weak_bind_size,
		lazy_bind_off, lazy_bind_size, export_off, export_size;
};

struct symtab_command {
	uint32_t cmd, cmdsize, symoff, nsyms, stroff, strsize;
};

struct entry_point_command {
	uint32_t cmd, cmdsize;
	uint64_t entryoff, stacksize;
};

/* LC_LOAD_DYLIB, LC_RPATH: a string at an offset in the command. */
struct string_command {
	uint32_t cmd, cmdsize, offset;
};

enum { N_EXT = 0x01, N_TYPE = 0x0e, N_SECT = 0x0e };
struct nlist {
	uint32_t n_strx;
	uint8_t n_type, n_sect;
	uint16_t n_desc;
	uint64_t n_value;
};

#endif
