/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What programs on macOS call: the 21 functions of the client library in the field, with its
 * signatures, and the names that forks of it added, with ours. It does not compile, in any of the
 * languages of test-headers.sh, when one of them differs.
 */
#include <apple-dext-client.h>

struct drop_in {
	/* In the field. */
	io_connect_t (*connect)(uint8_t bus, uint8_t device, uint8_t function);
	void (*disconnect)(io_connect_t connection);
	kern_return_t (*claim)(io_connect_t connection);
	kern_return_t (*register_dma)(io_connect_t connection, uint64_t iova, uint64_t client_va,
		uint64_t size, uint64_t *out_bus_addr, uint64_t *out_bus_len);
	kern_return_t (*unregister_dma)(io_connect_t connection, uint64_t iova);
	kern_return_t (*probe_dma)(
		io_connect_t connection, uint64_t iova, uint64_t offset, uint64_t *out_word);
	kern_return_t (*config_read)(
		io_connect_t connection, uint64_t offset, uint64_t width, uint64_t *out_value);
	kern_return_t (*config_write)(
		io_connect_t connection, uint64_t offset, uint64_t width, uint64_t value);
	kern_return_t (*config_read_block)(
		io_connect_t connection, uint64_t offset, void *buf, size_t len);
	kern_return_t (*get_bar_info)(io_connect_t connection, uint8_t bar, uint8_t *out_mem_idx,
		uint64_t *out_size, uint8_t *out_type);
	kern_return_t (*map_bar)(io_connect_t connection, uint8_t bar, mach_vm_address_t *out_addr,
		mach_vm_size_t *out_size, uint8_t *out_type);
	kern_return_t (*unmap_bar)(io_connect_t connection, uint8_t bar, mach_vm_address_t addr);
	kern_return_t (*mmio_read)(io_connect_t connection, uint8_t mem_idx, uint64_t offset,
		uint64_t width, uint64_t *out_value);
	kern_return_t (*mmio_write)(io_connect_t connection, uint8_t mem_idx, uint64_t offset,
		uint64_t width, uint64_t value);
	kern_return_t (*setup_interrupts)(io_connect_t connection, uint32_t *out_num_vectors);
	kern_return_t (*set_irq_mask)(io_connect_t connection, const uint64_t mask[4]);
	kern_return_t (*read_pending_irqs)(io_connect_t connection, uint64_t pending[4]);
	kern_return_t (*reset_device)(io_connect_t connection);
	AppleDextInterruptNotify *(*interrupt_notify_create)(
		io_connect_t connection, void (*handler_fn)(void *opaque), void *opaque);
	kern_return_t (*interrupt_notify_rearm)(AppleDextInterruptNotify *notify);
	void (*interrupt_notify_destroy)(AppleDextInterruptNotify *notify);
	/* Of forks. */
	kern_return_t (*allocate_dma_buffer)(io_connect_t connection, uint64_t size,
		uint64_t alignment, AppleDextDMABuffer *out_buffer);
	kern_return_t (*free_dma_buffer)(io_connect_t connection, AppleDextDMABuffer *buffer);
	io_connect_t (*connect_with_root)(
		const char *root, uint8_t bus, uint8_t device, uint8_t function);
	kern_return_t (*copy_bound_devices)(AppleDextDevice **out_devices, size_t *out_count);
};

extern const struct drop_in drop_in;

const struct drop_in drop_in = {
	apple_dext_connect,
	apple_dext_disconnect,
	apple_dext_claim,
	apple_dext_register_dma,
	apple_dext_unregister_dma,
	apple_dext_probe_dma,
	apple_dext_config_read,
	apple_dext_config_write,
	apple_dext_config_read_block,
	apple_dext_get_bar_info,
	apple_dext_map_bar,
	apple_dext_unmap_bar,
	apple_dext_mmio_read,
	apple_dext_mmio_write,
	apple_dext_setup_interrupts,
	apple_dext_set_irq_mask,
	apple_dext_read_pending_irqs,
	apple_dext_reset_device,
	apple_dext_interrupt_notify_create,
	apple_dext_interrupt_notify_rearm,
	apple_dext_interrupt_notify_destroy,
	apple_dext_allocate_dma_buffer,
	apple_dext_free_dma_buffer,
	apple_dext_connect_with_root,
	apple_dext_copy_bound_devices,
};
