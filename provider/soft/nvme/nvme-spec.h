/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names, numbers and layouts of the NVM Express base specification, revision 1.4.
 * Everything in memory that the host sees is little-endian.
 */
#ifndef PROVIDER_SOFT_NVME_SPEC_H
#define PROVIDER_SOFT_NVME_SPEC_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* --- Registers (BAR0) ------------------------------------------------------------ */

#define NVME_REG_CAP	   0x00u
#define NVME_REG_VS	   0x08u
#define NVME_REG_INTMS	   0x0cu
#define NVME_REG_INTMC	   0x10u
#define NVME_REG_CC	   0x14u
#define NVME_REG_CSTS	   0x1cu
#define NVME_REG_NSSR	   0x20u
#define NVME_REG_AQA	   0x24u
#define NVME_REG_ASQ	   0x28u
#define NVME_REG_ACQ	   0x30u
#define NVME_REG_DOORBELLS 0x1000u

#define NVME_CAP_CQR	      (UINT64_C(1) << 16)
#define NVME_CAP_TO_SHIFT     24 /* in units of 500 ms */
#define NVME_CAP_CSS_NVM      (UINT64_C(1) << 37)
#define NVME_CAP_MPSMAX_SHIFT 52
#define NVME_VERSION_1_4      0x00010400u

#define NVME_CC_EN	   (1u << 0)
#define NVME_CC_CSS(cc)	   (((cc) >> 4) & 0x7u)
#define NVME_CC_MPS(cc)	   (((cc) >> 7) & 0xfu)
#define NVME_CC_AMS(cc)	   (((cc) >> 11) & 0x7u)
#define NVME_CC_SHN(cc)	   (((cc) >> 14) & 0x3u)
#define NVME_CC_IOSQES(cc) (((cc) >> 16) & 0xfu)
#define NVME_CC_IOCQES(cc) (((cc) >> 20) & 0xfu)
#define NVME_CC_WRITABLE   0x00fffff1u

#define NVME_CSTS_RDY		 (1u << 0)
#define NVME_CSTS_CFS		 (1u << 1)
#define NVME_CSTS_SHST_MASK	 (3u << 2)
#define NVME_CSTS_SHST_OCCURRING (1u << 2)
#define NVME_CSTS_SHST_COMPLETE	 (2u << 2)

#define NVME_AQA_WRITABLE   0x0fff0fffu
#define NVME_QUEUE_BASE_LOW 0xfffff000u /* the writable low half of ASQ and ACQ */

/* --- Commands and completions ---------------------------------------------------- */

struct nvme_command {
	uint8_t opcode;
	uint8_t flags; /* FUSE in bits 1:0, PSDT in 7:6 */
	uint16_t cid;
	uint32_t nsid;
	uint32_t reserved[2];
	uint64_t mptr;
	uint64_t prp1;
	uint64_t prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
static_assert(sizeof(struct nvme_command) == 64, "a submission queue entry is 64 bytes");

#define NVME_FLAGS_FUSE_PSDT 0xc3u

struct nvme_completion {
	uint32_t result;
	uint32_t reserved;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t cid;
	uint16_t status; /* the phase tag in bit 0 */
};
static_assert(sizeof(struct nvme_completion) == 16, "a completion queue entry is 16 bytes");

#define NVME_SQE_SHIFT 6
#define NVME_CQE_SHIFT 4

enum nvme_admin_opcode {
	NVME_ADMIN_DELETE_SQ = 0x00,
	NVME_ADMIN_CREATE_SQ = 0x01,
	NVME_ADMIN_GET_LOG_PAGE = 0x02,
	NVME_ADMIN_DELETE_CQ = 0x04,
	NVME_ADMIN_CREATE_CQ = 0x05,
	NVME_ADMIN_IDENTIFY = 0x06,
	NVME_ADMIN_ABORT = 0x08,
	NVME_ADMIN_SET_FEATURES = 0x09,
	NVME_ADMIN_GET_FEATURES = 0x0a,
	NVME_ADMIN_ASYNC_EVENT = 0x0c,
	NVME_ADMIN_DOORBELL_BUFFER_CONFIG = 0x7c,
};

enum nvme_io_opcode {
	NVME_IO_FLUSH = 0x00,
	NVME_IO_WRITE = 0x01,
	NVME_IO_READ = 0x02,
	NVME_IO_COMPARE = 0x05,
	NVME_IO_WRITE_ZEROES = 0x08,
	NVME_IO_DATASET_MANAGEMENT = 0x09,
};

#define NVME_NSID_ALL	   0xffffffffu
#define NVME_QUEUE_PC	   (1u << 0) /* create queue: physically contiguous */
#define NVME_QUEUE_IEN	   (1u << 1) /* create CQ: interrupts enabled */
#define NVME_IO_FUA	   (1u << 30)
#define NVME_IO_DEALLOCATE (1u << 25) /* write zeroes */
#define NVME_DSM_AD	   (1u << 2)

struct nvme_dsm_range {
	uint32_t attributes;
	uint32_t blocks;
	uint64_t slba;
};
static_assert(sizeof(struct nvme_dsm_range) == 16, "a range is 16 bytes");

/*
 * The status field as it stands above the phase tag: SC in bits 7:0, SCT in 10:8,
 * More in 13, Do Not Retry in 14.
 */
enum nvme_status {
	NVME_OK = 0x000,
	NVME_INVALID_OPCODE = 0x001,
	NVME_INVALID_FIELD = 0x002,
	NVME_DATA_TRANSFER_ERROR = 0x004,
	NVME_INTERNAL_ERROR = 0x006,
	NVME_ABORT_REQUESTED = 0x007,
	NVME_ABORTED_SQ_DELETION = 0x008,
	NVME_INVALID_NAMESPACE = 0x00b,
	NVME_COMMAND_SEQUENCE_ERROR = 0x00c,
	NVME_INVALID_PRP_OFFSET = 0x013,
	NVME_NAMESPACE_WRITE_PROTECTED = 0x020,
	NVME_LBA_OUT_OF_RANGE = 0x080,
	NVME_CAPACITY_EXCEEDED = 0x081,
	NVME_INVALID_CQ = 0x100,
	NVME_INVALID_QUEUE_ID = 0x101,
	NVME_INVALID_QUEUE_SIZE = 0x102,
	NVME_ASYNC_LIMIT = 0x105,
	NVME_INVALID_VECTOR = 0x108,
	NVME_INVALID_LOG_PAGE = 0x109,
	NVME_INVALID_QUEUE_DELETION = 0x10c,
	NVME_FEATURE_NOT_SAVEABLE = 0x10d,
	NVME_FEATURE_NOT_CHANGEABLE = 0x10e,
	NVME_FEATURE_NOT_PER_NAMESPACE = 0x10f,
	NVME_WRITE_TO_READ_ONLY = 0x182, /* read-only for another reason than write protection */
	NVME_WRITE_FAULT = 0x280,
	NVME_UNRECOVERED_READ = 0x281,
	NVME_COMPARE_FAILURE = 0x285,
	NVME_STATUS_MORE = 0x2000,
	NVME_STATUS_DNR = 0x4000,
};

/* --- Identify -------------------------------------------------------------------- */

#define NVME_CNS_NAMESPACE   0x00u
#define NVME_CNS_CONTROLLER  0x01u
#define NVME_CNS_ACTIVE_LIST 0x02u
#define NVME_CNS_DESCRIPTORS 0x03u

#define NVME_SERIAL_LENGTH 20
#define NVME_MODEL_LENGTH  40

struct nvme_power_state {
	uint16_t max_power; /* in 0.01 W */
	uint8_t reserved[30];
};

struct nvme_identify_controller {
	uint16_t vid, ssvid;
	char sn[NVME_SERIAL_LENGTH];
	char mn[NVME_MODEL_LENGTH];
	char fr[8];
	uint8_t rab, ieee[3], cmic, mdts;
	uint16_t cntlid;
	uint32_t ver, rtd3r, rtd3e, oaes, ctratt;
	uint8_t reserved100[11];
	uint8_t cntrltype;
	uint8_t reserved112[144];
	uint16_t oacs;
	uint8_t acl, aerl, frmw, lpa, elpe, npss, avscc, apsta;
	uint16_t wctemp, cctemp;
	uint8_t reserved270[242];
	uint8_t sqes, cqes;
	uint16_t maxcmd;
	uint32_t nn;
	uint16_t oncs, fuses;
	uint8_t fna, vwc;
	uint16_t awun, awupf;
	uint8_t nvscc, nwpc;
	uint16_t acwu, reserved534;
	uint32_t sgls, mnan;
	uint8_t reserved544[224];
	char subnqn[256];
	uint8_t reserved1024[1024];
	struct nvme_power_state psd[32];
	uint8_t vendor[1024];
} __attribute__((packed));
static_assert(sizeof(struct nvme_identify_controller) == 4096, "identify data is 4096 bytes");
static_assert(offsetof(struct nvme_identify_controller, cntrltype) == 111, "CNTRLTYPE");
static_assert(offsetof(struct nvme_identify_controller, oacs) == 256, "OACS");
static_assert(offsetof(struct nvme_identify_controller, sqes) == 512, "SQES");
static_assert(offsetof(struct nvme_identify_controller, subnqn) == 768, "SUBNQN");
static_assert(offsetof(struct nvme_identify_controller, psd) == 2048, "PSD0");

#define NVME_CNTRLTYPE_IO	  1
#define NVME_LPA_SMART_PER_NS	  (1u << 0)
#define NVME_LPA_EFFECTS	  (1u << 1)
#define NVME_LPA_EXTENDED	  (1u << 2)
#define NVME_FRMW_ONE_FIXED_SLOT  0x03u
#define NVME_OACS_DOORBELL_BUFFER (1u << 8)

#define NVME_ONCS_COMPARE      (1u << 0)
#define NVME_ONCS_DSM	       (1u << 2)
#define NVME_ONCS_WRITE_ZEROES (1u << 3)
#define NVME_ONCS_SELECT       (1u << 4)
#define NVME_ONCS_TIMESTAMP    (1u << 6)
#define NVME_VWC_PRESENT       (1u << 0)
#define NVME_VWC_FLUSH_ALL     (3u << 1) /* flush takes NSID FFFFFFFFh */

struct nvme_lba_format {
	uint16_t ms;
	uint8_t lbads, rp;
};

struct nvme_identify_namespace {
	uint64_t nsze, ncap, nuse;
	uint8_t nsfeat, nlbaf, flbas, mc, dpc, dps, nmic, rescap, fpi, dlfeat;
	uint8_t reserved34[14];
	uint64_t nvmcap[2];
	uint8_t reserved64[35];
	uint8_t nsattr;
	uint8_t reserved100[4];
	uint8_t nguid[16], eui64[8];
	struct nvme_lba_format lbaf[16];
	uint8_t reserved192[192];
	uint8_t vendor[3712];
} __attribute__((packed));
static_assert(sizeof(struct nvme_identify_namespace) == 4096, "identify data is 4096 bytes");
static_assert(offsetof(struct nvme_identify_namespace, nvmcap) == 48, "NVMCAP");
static_assert(offsetof(struct nvme_identify_namespace, nguid) == 104, "NGUID");
static_assert(offsetof(struct nvme_identify_namespace, lbaf) == 128, "LBAF0");

#define NVME_DLFEAT_READS_ZERO	 0x01u
#define NVME_DLFEAT_WRITE_ZEROES 0x08u /* write zeroes takes DEAC */
#define NVME_NSATTR_PROTECTED	 0x01u

enum nvme_descriptor_type {
	NVME_NIDT_EUI64 = 1,
	NVME_NIDT_NGUID = 2,
	NVME_NIDT_UUID = 3,
};

/* --- Features -------------------------------------------------------------------- */

enum nvme_feature_id {
	NVME_FEAT_ARBITRATION = 0x01,
	NVME_FEAT_POWER = 0x02,
	NVME_FEAT_TEMPERATURE = 0x04,
	NVME_FEAT_ERROR_RECOVERY = 0x05,
	NVME_FEAT_WRITE_CACHE = 0x06,
	NVME_FEAT_QUEUES = 0x07,
	NVME_FEAT_COALESCING = 0x08,
	NVME_FEAT_VECTOR = 0x09,
	NVME_FEAT_ATOMICITY = 0x0a,
	NVME_FEAT_ASYNC_EVENTS = 0x0b,
	NVME_FEAT_TIMESTAMP = 0x0e,
	NVME_FEATURES = 0x10, /* room for the ones above */
};

enum nvme_select { NVME_SEL_CURRENT, NVME_SEL_DEFAULT, NVME_SEL_SAVED, NVME_SEL_CAPABILITIES };

#define NVME_FEATURE_SAVE	    (1u << 31)
#define NVME_FEATURE_CAP_NAMESPACE  (1u << 1)
#define NVME_FEATURE_CAP_CHANGEABLE (1u << 2)
#define NVME_VECTOR_CD		    (1u << 16) /* coalescing disable */
#define NVME_TIMESTAMP_SET	    (1u << 1)  /* origin: the host has set it */

/* --- Log pages and asynchronous events ------------------------------------------- */

#define NVME_LOG_ERROR	  0x01u
#define NVME_LOG_SMART	  0x02u
#define NVME_LOG_FIRMWARE 0x03u
#define NVME_LOG_EFFECTS  0x05u

#define NVME_LOG_RETAIN_EVENT (1u << 15)

struct nvme_error_entry {
	uint64_t count;
	uint16_t sqid, cid, status, location;
	uint64_t lba;
	uint32_t nsid;
	uint8_t vendor, transport;
	uint8_t reserved30[2];
	uint64_t command_specific;
	uint16_t transport_specific;
	uint8_t reserved42[22];
} __attribute__((packed));
static_assert(sizeof(struct nvme_error_entry) == 64, "an error log entry is 64 bytes");

#define NVME_ERROR_NO_COMMAND  0xffffu
#define NVME_ERROR_NO_LOCATION 0xffffu

struct nvme_smart_log {
	uint8_t critical_warning;
	uint16_t temperature; /* in kelvin */
	uint8_t spare, spare_threshold, used, endurance;
	uint8_t reserved7[25];
	uint64_t units_read[2], units_written[2]; /* in 1000 * 512 bytes */
	uint64_t reads[2], writes[2];
	uint64_t busy_minutes[2], power_cycles[2], power_on_hours[2], unsafe_shutdowns[2];
	uint64_t media_errors[2], error_entries[2];
	uint32_t warning_minutes, critical_minutes;
	uint8_t reserved200[312];
} __attribute__((packed));
static_assert(sizeof(struct nvme_smart_log) == 512, "the SMART log is 512 bytes");
static_assert(offsetof(struct nvme_smart_log, units_read) == 32, "data units read");
static_assert(offsetof(struct nvme_smart_log, error_entries) == 176, "error log entries");

#define NVME_SMART_TEMPERATURE (1u << 1)
#define NVME_SMART_RELIABILITY (1u << 2) /* degraded */
#define NVME_SMART_READ_ONLY   (1u << 3) /* the medium */

struct nvme_firmware_log {
	uint8_t active, reserved1[7];
	char slots[7][8];
	uint8_t reserved64[448];
};
static_assert(sizeof(struct nvme_firmware_log) == 512, "the firmware log is 512 bytes");

struct nvme_effects_log {
	uint32_t admin[256], io[256];
	uint8_t reserved[2048];
};
static_assert(sizeof(struct nvme_effects_log) == 4096, "the effects log is 4096 bytes");

#define NVME_EFFECT_SUPPORTED (1u << 0)
#define NVME_EFFECT_CONTENT   (1u << 1) /* changes logical block content */

enum nvme_event_type { NVME_EVENT_ERROR = 0, NVME_EVENT_SMART = 1 };

#endif
