/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which bit of config space is the view's own, forwarded or read-only. What no
 * rule names is forwarded.
 *
 * The host owns where the BARs are, how interrupts reach it, the power state and
 * the link, and anything that changes what the device is; the VMM must not
 * reach these, and gets registers that behave as if it did.
 */
#include "vfio-user/config-view.h"

#include <string.h>

/* One register, up to four bytes of it. */
struct rule {
	uint8_t offset, width;
	uint32_t own;
	uint32_t writable; /* of the own bits */
	uint32_t forwarded;
	bool from_device; /* the own bits begin as the device has them, not as 0 */
};

#define READ_ONLY(at, bytes)                                                                       \
	{                                                                                          \
		.offset = (at), .width = (bytes)                                                   \
	}
#define OWN(at, bytes, bits)                                                                       \
	{                                                                                          \
		.offset = (at), .width = (bytes), .own = (bits), .writable = (bits)                \
	}
#define OWN_FROM_DEVICE(at, bytes, bits, change)                                                   \
	{                                                                                          \
		.offset = (at), .width = (bytes), .own = (bits), .writable = (change),             \
		.from_device = true                                                                \
	}
#define END                                                                                        \
	{                                                                                          \
		.width = 0                                                                         \
	}

static const struct rule header_rules[] = {
	READ_ONLY(0x00, 4),	  /* ids */
	READ_ONLY(PCI_STATUS, 2), /* its error bits would be cleared by writes */
	READ_ONLY(0x08, 4),	  /* revision, class */
	READ_ONLY(0x0e, 2),	  /* header type; BIST must not be started */
	READ_ONLY(0x28, 4),
	READ_ONLY(0x2c, 4),
	{ .offset = PCI_ROM_ADDRESS, .width = 4, .own = 0xffffffff }, /* no ROM */
	READ_ONLY(0x34, 4),
	READ_ONLY(0x38, 4),
	OWN(PCI_INTERRUPT_LINE, 1, 0xff),
	READ_ONLY(PCI_INTERRUPT_PIN, 3),
	END,
};

static const struct rule pm_rules[] = {
	READ_ONLY(0x00, 4),
	{ .offset = 0x04,
		.width = 2,
		.own = PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_NO_SOFT_RESET,
		.writable = PCI_PM_CTRL_STATE_MASK },
	READ_ONLY(0x06, 2),
	END,
};

static const struct rule msi_rules[] = {
	READ_ONLY(0x00, 2),
	OWN(PCI_MSI_FLAGS, 2, 0x0071), /* enable, messages in use */
	OWN(0x04, 4, 0xfffffffc),
	END,
};

static const struct rule msi_32bit_rules[] = {
	OWN(0x08, 2, 0xffff),
	READ_ONLY(0x0a, 2),
	END,
};

static const struct rule msi_64bit_rules[] = {
	OWN(0x08, 4, 0xffffffff),
	OWN(0x0c, 2, 0xffff),
	READ_ONLY(0x0e, 2),
	END,
};

/* Mask bits, and pending bits: none, since what is pending is kept by the server. */
static const struct rule msi_32bit_mask_rules[] = {
	OWN(0x0c, 4, 0xffffffff),
	{ .offset = 0x10, .width = 4, .own = 0xffffffff },
	END,
};

static const struct rule msi_64bit_mask_rules[] = {
	OWN(0x10, 4, 0xffffffff),
	{ .offset = 0x14, .width = 4, .own = 0xffffffff },
	END,
};

static const struct rule msix_rules[] = {
	READ_ONLY(0x00, 2),
	OWN(PCI_MSIX_FLAGS, 2, 0xc000), /* enable, mask all */
	READ_ONLY(0x04, 4),
	READ_ONLY(0x08, 4),
	END,
};

static const struct rule pcie_rules[] = {
	READ_ONLY(0x00, 4),
	READ_ONLY(PCI_EXP_DEVCAP, 4),
	OWN_FROM_DEVICE(PCI_EXP_DEVCTL, 2, 0xffff, 0x7fff),
	/* Status: errors, which a 1 written clears. */
	{ .offset = 0x0a, .width = 2, .forwarded = 0x000f },
	READ_ONLY(0x0c, 4),
	/* Link control, without retraining and disabling. */
	OWN_FROM_DEVICE(0x10, 2, 0xffff, 0x0fcf),
	READ_ONLY(0x12, 2),
	END,
};

static const struct rule pcie_v2_rules[] = {
	READ_ONLY(0x14, 4),
	READ_ONLY(0x18, 4),
	READ_ONLY(0x1c, 4),
	READ_ONLY(0x20, 4),
	READ_ONLY(0x24, 4),
	OWN_FROM_DEVICE(0x28, 2, 0xffff, 0xffff), /* device control 2 */
	READ_ONLY(0x2a, 2),
	READ_ONLY(0x2c, 4),
	OWN_FROM_DEVICE(0x30, 2, 0xffff, 0xffff), /* link control 2 */
	READ_ONLY(0x32, 2),
	READ_ONLY(0x34, 4),
	READ_ONLY(0x38, 4),
	END,
};

static const struct rule af_rules[] = {
	READ_ONLY(0x00, 4),
	READ_ONLY(PCI_AF_CTRL, 2),
	END,
};

/* Extended capabilities that are the host's alone: whole, @size bytes, read-only. */
static const struct {
	uint16_t id, size;
} host_capabilities[] = {
	{ PCI_EXT_CAP_ID_ATS, 0x08 },
	{ PCI_EXT_CAP_ID_SRIOV, 0x40 },
	{ PCI_EXT_CAP_ID_MCAST, 0x30 },
	{ PCI_EXT_CAP_ID_PRI, 0x10 },
	{ PCI_EXT_CAP_ID_REBAR, 0x34 },
	{ PCI_EXT_CAP_ID_PASID, 0x08 },
	{ PCI_EXT_CAP_ID_DPC, 0x10 },
	{ PCI_EXT_CAP_ID_L1SS, 0x14 },
	{ PCI_EXT_CAP_ID_VF_REBAR, 0x34 },
};

static int read_device(
	struct vu_config_view *view, uint32_t offset, uint64_t width, uint64_t *value)
{
	return vu_device_error(view->device,
		apple_dext_config_read(view->device->connection, offset, width, value));
}

/* A capability may lie at any multiple of 4 and, in a broken device, over the end. */
static int apply(struct vu_config_view *view, uint32_t base, const struct rule *rule)
{
	uint32_t at = base + rule->offset;

	for (uint32_t i = 0; i < rule->width && at + i < PCI_CFG_SPACE_SIZE; i++) {
		uint64_t value = 0;
		int error = 0;

		if (rule->from_device)
			error = read_device(view, at + i, 1, &value);
		if (error != 0)
			return error;
		view->own[at + i] = (uint8_t)(rule->own >> (8 * i));
		view->writable[at + i] = (uint8_t)(rule->writable >> (8 * i));
		view->forwarded[at + i] = (uint8_t)(rule->forwarded >> (8 * i));
		view->value[at + i] = (uint8_t)value & view->own[at + i];
	}
	return 0;
}

static int apply_all(struct vu_config_view *view, uint32_t base, const struct rule *rules)
{
	int error = 0;

	for (; rules->width != 0 && error == 0; rules++)
		error = apply(view, base, rules);
	return error;
}

static void add_reset_bit(struct vu_config_view *view, uint32_t offset, uint8_t bit)
{
	if (view->reset_count < VU_RESET_BITS_MAX && offset < PCI_CFG_SPACE_SIZE)
		view->resets[view->reset_count++] =
			(struct vu_reset_bit){ .offset = (uint16_t)offset, .bit = bit };
}

/*
 * The power state changes in the view alone, so the device keeps its state from
 * D3hot to D0 and must say so, or the guest would initialise it anew.
 */
static int apply_pm(struct vu_config_view *view, uint32_t at)
{
	int error = apply_all(view, at, pm_rules);

	view->value[at + 0x04] |= PCI_PM_CTRL_NO_SOFT_RESET;
	if (view->power_control == 0)
		view->power_control = (uint16_t)(at + 0x04);
	return error;
}

static int apply_msi(struct vu_config_view *view, uint32_t at)
{
	uint64_t control;
	bool wide;
	int error = read_device(view, at + PCI_MSI_FLAGS, 2, &control);

	if (error == 0)
		error = apply_all(view, at, msi_rules);
	if (error != 0)
		return error;
	wide = (control & PCI_MSI_FLAGS_64BIT) != 0;
	error = apply_all(view, at, wide ? msi_64bit_rules : msi_32bit_rules);
	if (error == 0 && (control & PCI_MSI_FLAGS_MASKBIT) != 0)
		error = apply_all(view, at, wide ? msi_64bit_mask_rules : msi_32bit_mask_rules);
	return error;
}

static int apply_msix(struct vu_config_view *view, uint32_t at)
{
	return apply_all(view, at, msix_rules);
}

static int apply_pcie(struct vu_config_view *view, uint32_t at)
{
	uint64_t flags, capabilities;
	int error = read_device(view, at + PCI_EXP_FLAGS, 2, &flags);

	if (error == 0)
		error = read_device(view, at + PCI_EXP_DEVCAP, 4, &capabilities);
	if (error == 0)
		error = apply_all(view, at, pcie_rules);
	if (error == 0 && (flags & 0xf) >= 2)
		error = apply_all(view, at, pcie_v2_rules);
	if (error == 0 && (capabilities & PCI_EXP_DEVCAP_FLR) != 0)
		add_reset_bit(view, at + PCI_EXP_DEVCTL + 1, 0x80);
	return error;
}

static int apply_af(struct vu_config_view *view, uint32_t at)
{
	uint64_t capabilities;
	int error = read_device(view, at + PCI_AF_CAP, 1, &capabilities);

	if (error == 0)
		error = apply_all(view, at, af_rules);
	if (error == 0 && (capabilities & PCI_AF_CAP_FLR) != 0)
		add_reset_bit(view, at + PCI_AF_CTRL, 0x01);
	return error;
}

/* @size: the least that makes sense; one that would end past config space is no such thing. */
static const struct {
	uint16_t id, size;
	int (*apply)(struct vu_config_view *view, uint32_t at);
} capability_rules[] = {
	{ PCI_CAP_ID_PM, 8, apply_pm },
	{ PCI_CAP_ID_MSI, 10, apply_msi },
	{ PCI_CAP_ID_MSIX, 12, apply_msix },
	{ PCI_CAP_ID_EXP, 20, apply_pcie },
	{ PCI_CAP_ID_AF, 6, apply_af },
};

static int apply_capability(struct vu_config_view *view, const struct vu_cap *cap)
{
	for (size_t i = 0; i < sizeof(capability_rules) / sizeof(capability_rules[0]); i++)
		if (capability_rules[i].id == cap->id &&
			cap->offset + capability_rules[i].size <= PCI_CFG_SPACE_SIZE)
			return capability_rules[i].apply(view, cap->offset);
	return 0;
}

static void apply_extended(struct vu_config_view *view, const struct vu_cap *cap)
{
	for (size_t i = 0; i < sizeof(host_capabilities) / sizeof(host_capabilities[0]); i++) {
		size_t room = PCI_CFG_SPACE_EXP_SIZE - cap->offset;
		size_t size = host_capabilities[i].size;

		if (host_capabilities[i].id == cap->id)
			memset(view->forwarded + cap->offset, 0, size < room ? size : room);
	}
}

/* A BAR's address bits are the view's own; its low bits say what it is and never change. */
static int apply_bars(struct vu_config_view *view)
{
	uint64_t writable = 0;
	int error = 0;

	for (uint8_t i = 0; i < DEXT_BARS && error == 0; i++) {
		const struct vu_bar *bar = &view->device->bars[i];
		bool io = (bar->type & DEXT_BAR_IO) != 0;
		struct rule rule = { .offset = (uint8_t)(PCI_BASE_ADDRESS_0 + 4 * i),
			.width = 4,
			.own = 0xffffffff };

		/* The upper half of a 64-bit BAR takes what the lower one left. */
		writable >>= 32;
		if (bar->size != 0) {
			uint64_t mask = ~(bar->size - 1) & ~(uint64_t)(io ? 0x3 : 0xf);

			writable = (bar->type & DEXT_BAR_MEM64) != 0 ? mask : mask & 0xffffffff;
		}
		rule.writable = (uint32_t)writable;
		error = apply(view, 0, &rule);
		if (bar->size != 0)
			view->value[rule.offset] = bar->type;
	}
	return error;
}

int vu_config_apply_rules(struct vu_config_view *view)
{
	const struct vu_caps *caps = &view->device->pci.caps;
	int error;

	memset(view->forwarded, 0xff, sizeof(view->forwarded));
	error = apply_all(view, 0, header_rules);
	if (error == 0)
		error = apply_bars(view);
	for (size_t i = 0; i < caps->count && error == 0; i++)
		error = apply_capability(view, &caps->list[i]);
	for (size_t i = 0; i < caps->extended_count; i++)
		apply_extended(view, &caps->extended[i]);
	return error;
}
