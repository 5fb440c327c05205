/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The provider of physical devices on a fake kernel: a fake sysfs, and open(), ioctl() and others
 * wrapped for the files of VFIO. Each obstacle is one line that names the command that helps.
 */
#include "common/host-pci.h"
#include "provider/spec.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fake-sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/vfio.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DISK   "0000:01:00.0"
#define NIC    "0000:01:00.1"
#define BRIDGE "0000:00:01.0"

#define CONFIG_SIZE 256
#define BAR_OFFSET  4096
#define PM	    0x40 /* the power management capability */

/* linux/iommufd.h, which Debian 12 does not have. */
#define DEVICE_BIND   _IO(VFIO_TYPE, VFIO_BASE + 18)
#define DEVICE_ATTACH _IO(VFIO_TYPE, VFIO_BASE + 19)
#define IOAS_ALLOC    _IO(';', 0x81)
#define IOAS_RANGES   _IO(';', 0x84)
#define IOAS_MAP      _IO(';', 0x85)
#define IOAS_UNMAP    _IO(';', 0x86)
#define IOAS_ID	      42u

/* What the fake kernel does. An error is an errno; 0: none. */
static struct {
	const char *unopenable; /* the path that cannot be opened */
	int open_error;
	bool has_iommufd, is_stuck; /* is_stuck: writes to the device have no effect */
	unsigned group_flags, device_flags;
	unsigned long failing; /* the ioctl that fails */
	int error, bar_error;
	int device, request; /* memory of the device; the eventfd of its request interrupt */
	unsigned map_flags, maps, unmaps;
	uint64_t iova, length;
} kernel;

static bool is_vfio(const char *path)
{
	return strncmp(path, "/dev/vfio/", 10) == 0 || strcmp(path, "/dev/iommu") == 0;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	if (!is_vfio(path))
		return __real_open64(path, flags, mode);
	if (kernel.unopenable && strcmp(path, kernel.unopenable) == 0) {
		errno = kernel.open_error;
		return -1;
	}
	return dup(kernel.device);
}

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
	if (!is_vfio(path))
		return __real_access(path, mode);
	return kernel.has_iommufd ? 0 : -1;
}

ssize_t __real_pread64(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *data, size_t size, off_t offset)
{
	if (offset < BAR_OFFSET || !kernel.bar_error)
		return __real_pread64(fd, data, size, offset);
	errno = kernel.bar_error;
	return -1;
}

ssize_t __real_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t size, off_t offset)
{
	return kernel.is_stuck ? (ssize_t)size : __real_pwrite64(fd, data, size, offset);
}

static int region_info(struct vfio_region_info *info)
{
	if (info->index == VFIO_PCI_CONFIG_REGION_INDEX)
		info->size = CONFIG_SIZE;
	else if (info->index == VFIO_PCI_BAR0_REGION_INDEX)
		info->size = BAR_OFFSET;
	else
		info->size = 0;
	info->offset = info->index == VFIO_PCI_BAR0_REGION_INDEX ? BAR_OFFSET : 0;
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	return 0;
}

static int set_irqs(const struct vfio_irq_set *set)
{
	if (set->index == VFIO_PCI_REQ_IRQ_INDEX && set->count)
		memcpy(&kernel.request, set->data, sizeof(kernel.request));
	return 0;
}

/* Addresses below 2^39, but for those of interrupts. */
static int iommu_info(struct vfio_iommu_type1_info *info)
{
	struct {
		struct vfio_iommu_type1_info_cap_iova_range head;
		struct vfio_iova_range ranges[2];
	} windows = {
		.head = { .header = { .id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE }, .nr_iovas = 2 },
		.ranges = { { 0, 0xfedfffff }, { 0xfef00000, (UINT64_C(1) << 39) - 1 } },
	};
	uint32_t size = sizeof(*info) + sizeof(windows);

	info->flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info->iova_pgsizes = 4096 | 2 << 20;
	if (info->argsz >= size) {
		info->cap_offset = sizeof(*info);
		memcpy((char *)info + sizeof(*info), &windows, sizeof(windows));
	}
	info->argsz = size;
	return 0;
}

static int mapped(unsigned flags, uint64_t iova, uint64_t length)
{
	kernel.maps++;
	kernel.map_flags = flags;
	kernel.iova = iova;
	kernel.length = length;
	return 0;
}

static int unmapped(uint64_t iova, uint64_t length)
{
	assert_int_equal(iova, kernel.iova);
	assert_int_equal(length, kernel.length);
	kernel.unmaps++;
	return 0;
}

static int iommufd_ioctl(unsigned long request, void *argument)
{
	uint32_t *words = argument; /* each begins with its size */
	uint64_t *longs = argument;

	switch (request) {
	case DEVICE_BIND:
	case DEVICE_ATTACH:
		assert_true(request == DEVICE_BIND || words[2] == IOAS_ID);
		return 0;
	case IOAS_ALLOC:
		words[2] = IOAS_ID;
		return 0;
	case IOAS_RANGES:
		assert_int_equal(words[1], IOAS_ID);
		((uint64_t *)(uintptr_t)longs[2])[0] = 0;
		((uint64_t *)(uintptr_t)longs[2])[1] = 0xfedfffff;
		words[2] = 1;
		longs[3] = 1;
		return 0;
	case IOAS_MAP:
		assert_int_equal(words[2], IOAS_ID);
		return mapped(words[1], longs[4], longs[3]);
	case IOAS_UNMAP:
		assert_int_equal(words[1], IOAS_ID);
		return unmapped(longs[1], longs[2]);
	default:
		fail();
		return -1;
	}
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct vfio_iommu_type1_dma_unmap *unmap;
	struct vfio_iommu_type1_dma_map *map;
	va_list args;
	void *argument;

	(void)fd;
	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (kernel.error && request == kernel.failing) {
		errno = kernel.error;
		return -1;
	}
	map = argument;
	unmap = argument;
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)argument)->flags = kernel.group_flags;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
	case VFIO_SET_IOMMU:
	case VFIO_DEVICE_RESET:
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return dup(kernel.device);
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)argument)->flags = kernel.device_flags;
		((struct vfio_device_info *)argument)->num_irqs = VFIO_PCI_NUM_IRQS;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(argument);
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)argument)->count = 1;
		return 0;
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(argument);
	case VFIO_IOMMU_GET_INFO:
		return iommu_info(argument);
	case VFIO_IOMMU_MAP_DMA:
		return mapped(map->flags, map->iova, map->size);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmapped(unmap->iova, unmap->size);
	default:
		return iommufd_ioctl(request, argument);
	}
}

static void set_config(unsigned offset, uint32_t value)
{
	assert_int_equal(__real_pwrite64(kernel.device, &value, 4, offset), 4);
}

static int setup(void **state)
{
	int device = memfd_create("device", MFD_CLOEXEC);

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.device = device;
	kernel.group_flags = VFIO_GROUP_FLAGS_VIABLE;
	kernel.device_flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	assert_int_equal(ftruncate(device, (off_t)2 * BAR_OFFSET), 0);
	set_config(0x00, 0xa808144d);
	set_config(0x04, 0x00100006); /* a capability list; memory space, bus mastering */
	set_config(0x34, PM);
	set_config(PM, 0x00030001);
	host_pci_paths = *fake_sysfs_create();
	fake_sysfs_add(&(struct fake_pci){ DISK, 0x144da808, 0x010802, "vfio-pci", 7 });
	fake_sysfs_add(&(struct fake_pci){ NIC, 0x808610d3, 0x020000, NULL, 7 });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(kernel.device);
	fake_sysfs_remove();
	return 0;
}

static struct pci_provider *create(const char *spec)
{
	struct spec_error error = { .text = "" };
	struct pci_provider *provider = provider_create(spec, &error);

	assert_string_equal(error.text, "");
	assert_non_null(provider);
	return provider;
}

/* The device is refused by one line, with @text; @invalid: the specification is wrong. */
static void refused(const char *spec, bool invalid, const char *text)
{
	struct spec_error error = { .text = "" };

	assert_null(provider_create(spec, &error));
	if (!strstr(error.text, text) || strchr(error.text, '\n'))
		fail_msg("'%s' is not '%s'", error.text, text);
	assert_int_equal(error.is_invalid, invalid);
}

#define SPEC "vfio,host=" DISK

static void test_address(void **state)
{
	(void)state;
	refused("vfio", true, "host=0000:01:00.0");
	refused("vfio,host=nonsense", true, "as lspci prints it");
	refused("vfio,host=0000:7f:00.0", false, "lspci -D");
	fake_sysfs_add(&(struct fake_pci){ BRIDGE, 0x80861901, 0x060400, "vfio-pci", 7 });
	refused("vfio,host=" BRIDGE, false, "only the devices behind it");
}

static void test_not_bound(void **state)
{
	(void)state;
	fake_sysfs_bind(DISK, "nvme");
	refused(SPEC, false, "bound to nvme, not to vfio-pci: dextctl bind " DISK);
	fake_sysfs_bind(DISK, NULL);
	refused(SPEC, false, "bound to no driver, not to vfio-pci: dextctl bind " DISK);
}

static void test_no_vfio(void **state)
{
	(void)state;
	fake_sysfs_remove();
	host_pci_paths = *fake_sysfs_create();
	fake_sysfs_add(&(struct fake_pci){ DISK, 0x144da808, 0x010802, "nvme", 7 });
	refused(SPEC, false, "modprobe vfio-pci");
}

static void test_no_iommu(void **state)
{
	(void)state;
	fake_sysfs_add(&(struct fake_pci){ "0000:02:00.0", 0x808610d3, 0x020000, "vfio-pci", -1 });
	refused("vfio,host=0000:02:00.0", false, "intel_iommu=on");
}

static void test_noiommu(void **state)
{
	struct pci_provider *provider;
	struct dma_segment segment;
	struct dma_span span = { .host = NULL, .length = 4096 };
	struct dma_request request = { .spans = &span, .span_count = 1, .length = 4096 };

	(void)state;
	refused(SPEC ",iommu=noiommu", false, "leave iommu=noiommu out");
	fake_sysfs_write("vfio-noiommu\n", "sys/kernel/iommu_groups/7/name");
	refused(SPEC, false, "iommu=noiommu");
	refused(SPEC ",iommu=group", false, "iommu=noiommu");
	kernel.unopenable = "/dev/vfio/noiommu-7";
	kernel.open_error = EPERM;
	refused(SPEC ",iommu=noiommu", false, "/dev/vfio/noiommu-7");
	kernel.unopenable = NULL;
	provider = create(SPEC ",iommu=noiommu");
	/* No bus address is safe, so none is given out. */
	assert_int_not_equal(
		provider->ops->dma_map(provider, &request, &segment), kIOReturnSuccess);
	provider->ops->destroy(provider);
}

static void test_group(void **state)
{
	(void)state;
	kernel.group_flags = 0;
	refused(SPEC, false, "is not viable: dextctl list --host");
	fake_sysfs_bind(NIC, "e1000e");
	refused(SPEC, false, NIC ", which is bound to e1000e: dextctl bind " NIC);
	fake_sysfs_add(&(struct fake_pci){ BRIDGE, 0x80861901, 0x060400, "pcieport", 7 });
	refused(SPEC, false, "dextctl bind " NIC " (a bridge in the group lacks ACS)");
	fake_sysfs_bind(NIC, NULL);
	refused(SPEC, false, BRIDGE ", which lacks ACS: move the device to another slot");
}

static void test_files(void **state)
{
	static const struct {
		const char *path;
		int error;
		const char *text;
	} cases[] = {
		{ "/dev/vfio/vfio", ENOENT, "there is no /dev/vfio/vfio: modprobe vfio-pci" },
		{ "/dev/vfio/vfio", EACCES, "no permission to open /dev/vfio/vfio: run as root" },
		{ "/dev/vfio/7", EACCES, "no permission to open /dev/vfio/7: run as root" },
		{ "/dev/vfio/7", EBUSY, "fuser -v /dev/vfio/7" },
		{ "/dev/vfio/7", EIO, "/dev/vfio/7 cannot be opened" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		kernel.unopenable = cases[i].path;
		kernel.open_error = cases[i].error;
		refused(SPEC, false, cases[i].text);
	}
}

static void test_kernel_refuses(void **state)
{
	static const struct {
		unsigned long request;
		const char *text;
	} cases[] = {
		{ VFIO_GET_API_VERSION, "not version 0 of the interface" },
		{ VFIO_GROUP_SET_CONTAINER, "/dev/vfio/7" },
		{ VFIO_SET_IOMMU, "modprobe vfio_iommu_type1" },
		{ VFIO_GROUP_GET_DEVICE_FD, "cannot be opened in its IOMMU group" },
		{ VFIO_DEVICE_GET_INFO, "no PCI device" },
		{ VFIO_IOMMU_GET_INFO, "its IOMMU cannot be" },
		{ VFIO_DEVICE_GET_REGION_INFO, "no config space" },
	};

	(void)state;
	kernel.error = EINVAL;
	for (size_t i = 0; i < COUNT(cases); i++) {
		kernel.failing = cases[i].request;
		refused(SPEC, false, cases[i].text);
	}
	kernel.error = 0;
	set_config(0, UINT32_MAX);
	refused(SPEC, false, "/remove; echo 1 > /sys/bus/pci/rescan");
}

/* --- An open device: what is written to the log ---------------------------------------- */

static char *text;
static FILE *real_stderr;

static void log_begin(void)
{
	static size_t size;

	real_stderr = stderr;
	stderr = open_memstream(&text, &size);
}

/* One line has been logged, with @expected. */
static void log_has(const char *expected)
{
	fclose(stderr);
	stderr = real_stderr;
	if (!strstr(text, expected) || strchr(text, '\n') != text + strlen(text) - 1)
		fail_msg("'%s' is not '%s'", text, expected);
	free(text);
}

static void test_power_state(void **state)
{
	struct pci_provider *provider = create(SPEC);
	uint32_t value;

	(void)state;
	set_config(PM + 4, 3);
	assert_int_equal(provider->ops->open(provider), kIOReturnSuccess);
	provider->ops->config_read(provider, PM + 4, 2, &value);
	assert_int_equal(value & 3, 0);
	set_config(PM + 4, 3);
	kernel.is_stuck = true;
	log_begin();
	assert_int_equal(provider->ops->open(provider), kIOReturnNotResponding);
	log_has("echo on > /sys/bus/pci/devices/" DISK "/power/control");
	provider->ops->destroy(provider);
}

static void test_disabled_bar(void **state)
{
	struct pci_provider *provider = create(SPEC);
	uint64_t value;

	(void)state;
	assert_int_equal(provider->ops->bar_read(provider, 0, 0, 4, &value), kIOReturnSuccess);
	kernel.bar_error = EIO;
	log_begin();
	assert_int_equal(provider->ops->bar_read(provider, 0, 0, 4, &value), kIOReturnIOError);
	log_has("BAR 0: ");
	assert_int_equal(value, UINT32_MAX);
	provider->ops->destroy(provider);
}

static void test_dma_errors(void **state)
{
	static _Alignas(4096) unsigned char memory[32 * 4096];
	struct pci_provider *provider = create(SPEC);
	struct dma_span span = { .host = memory, .length = 4096 };
	struct dma_request request = { .spans = &span, .span_count = 1, .length = 4096 };
	struct dma_segment segment;
	const struct rlimit limit = { 65536, 65536 };
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	(void)state;
	log_begin();
	span.is_private = true;
	assert_int_equal(
		provider->ops->dma_map(provider, &request, &segment), kIOReturnNotPermitted);
	log_has("must be shared");
	span.is_private = false;
	request.iova = 0xfee00000;
	log_begin();
	assert_int_equal(provider->ops->dma_map(provider, &request, &segment), kIOReturnNoSpace);
	log_has("0-0xfedfffff, 0xfef00000-0x7fffffffff");
	request.iova = 0;
	kernel.failing = VFIO_IOMMU_MAP_DMA;
	kernel.error = ENOMEM;
	log_begin();
	assert_int_equal(
		provider->ops->dma_map(provider, &request, &segment), kIOReturnNoResources);
	log_has("cannot be mapped at bus address");
	kernel.error = 0;
	/* Without the capability to exceed it, the limit counts. */
	assert_int_equal(syscall(SYS_capget, &header, caps), 0);
	caps[0].effective &= ~(1u << CAP_IPC_LOCK);
	assert_int_equal(syscall(SYS_capset, &header, caps), 0);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	span.length = request.length = sizeof(memory);
	log_begin();
	assert_int_equal(
		provider->ops->dma_map(provider, &request, &segment), kIOReturnNoResources);
	log_has("RLIMIT_MEMLOCK is 64 KiB: raise it with ulimit -l, or LimitMEMLOCK=");
	assert_int_equal(kernel.maps, 0);
	provider->ops->destroy(provider);
}

static sem_t removed;

static void on_event(void *context, enum pci_event event)
{
	(void)context;
	if (event == PCI_EVENT_REMOVED)
		sem_post(&removed);
}

/* The kernel requests the device back while it is in use. */
static void test_removed(void **state)
{
	static _Alignas(4096) unsigned char memory[4096];
	struct pci_provider *provider;
	struct dma_span span = { .host = memory, .length = 4096 };
	struct dma_request request = { .spans = &span, .span_count = 1, .length = 4096 };
	struct pci_bar_memory bar;
	struct dma_segment segment;
	uint32_t value;

	(void)state;
	log_begin(); /* before there is another thread */
	provider = create(SPEC);
	sem_init(&removed, 0, 0);
	provider->ops->watch(provider, on_event, NULL);
	assert_int_equal(provider->ops->dma_map(provider, &request, &segment), kIOReturnSuccess);
	assert_int_equal(write(kernel.request, &(uint64_t){ 1 }, 8), 8);
	sem_wait(&removed);
	while (provider->ops->dma_map(provider, &request, &segment) != kIOReturnOffline)
		usleep(1000);
	log_has("the host takes the device back");
	provider->ops->config_read(provider, 0, 4, &value);
	assert_int_equal(value, UINT32_MAX);
	assert_int_equal(provider->ops->bar_memory(provider, 0, &bar), kIOReturnOffline);
	assert_int_equal(provider->ops->reset(provider, PCI_RESET_FUNCTION), kIOReturnOffline);
	assert_int_equal(provider->ops->open(provider), kIOReturnOffline);
	provider->ops->dma_unmap(provider, &segment);
	provider->ops->destroy(provider);
	sem_destroy(&removed);
}

static void map_and_unmap(struct pci_provider *provider, unsigned flags)
{
	static _Alignas(4096) unsigned char memory[8192];
	struct dma_span span = { .host = memory, .length = 8192, .writable = true };
	struct dma_request request = {
		.iova = 0x10000, .spans = &span, .span_count = 1, .length = 8192
	};
	struct dma_segment segment;

	assert_int_equal(provider->ops->dma_map(provider, &request, &segment), kIOReturnSuccess);
	assert_int_equal(segment.bus_address, 0x10000);
	assert_int_equal(segment.length, 8192);
	assert_int_equal(kernel.iova, 0x10000);
	assert_int_equal(kernel.length, 8192);
	assert_int_equal(kernel.map_flags, flags);
	provider->ops->dma_unmap(provider, &segment);
	assert_int_equal(kernel.unmaps, 1);
}

static void test_map_by_group(void **state)
{
	struct pci_provider *provider = create(SPEC);

	(void)state;
	map_and_unmap(provider, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
	provider->ops->destroy(provider);
}

static void test_map_by_iommufd(void **state)
{
	struct pci_provider *provider;

	(void)state;
	refused(SPEC ",iommu=iommufd", false, "iommu=group works with any");
	kernel.has_iommufd = true;
	fake_sysfs_write("", "sys/bus/pci/devices/" DISK "/vfio-dev/vfio0/dev");
	provider = create(SPEC);
	map_and_unmap(provider, 7); /* fixed address, writable, readable */
	provider->ops->destroy(provider);
}

static void test_iommufd_errors(void **state)
{
	(void)state;
	kernel.has_iommufd = true;
	fake_sysfs_write("", "sys/bus/pci/devices/" DISK "/vfio-dev/vfio0/dev");
	kernel.unopenable = "/dev/vfio/devices/vfio0";
	kernel.open_error = EACCES;
	refused(SPEC, false, "no permission to open /dev/vfio/devices/vfio0: run as root");
	kernel.unopenable = "/dev/iommu";
	refused(SPEC, false, "no permission to open /dev/iommu: run as root");
	kernel.unopenable = NULL;
	kernel.error = EBUSY;
	kernel.failing = DEVICE_BIND;
	fake_sysfs_bind(NIC, "e1000e");
	refused(SPEC, false, "dextctl bind " NIC);
	kernel.failing = IOAS_ALLOC;
	refused(SPEC, false, "/dev/iommu");
	kernel.failing = DEVICE_ATTACH;
	refused(SPEC, false, "address space");
	kernel.failing = IOAS_RANGES;
	refused(SPEC, false, "its IOMMU cannot be");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(address),
		TEST(not_bound),
		TEST(no_vfio),
		TEST(no_iommu),
		TEST(noiommu),
		TEST(group),
		TEST(files),
		TEST(kernel_refuses),
		TEST(power_state),
		TEST(disabled_bar),
		TEST(removed),
		TEST(map_by_group),
		TEST(map_by_iommufd),
		TEST(iommufd_errors),
		TEST(dma_errors),
	};

	return cmocka_run_group_tests_name("vfio", tests, NULL, NULL);
}
