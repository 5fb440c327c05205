/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The provider of physical devices on a fake kernel. Each obstacle is one line that names the
 * command that helps.
 */
#include "common/host-pci.h"
#include "provider/spec.h"
#include "tests/lib/cmocka-all.h"
#include "tests/lib/fake-sysfs.h"
#include "tests/lib/fake-vfio.h"

#include <errno.h>
#include <linux/capability.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define BRIDGE "0000:00:01.0"

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

#define SPEC "vfio,host=" FAKE_VFIO_DISK

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
	fake_sysfs_bind(FAKE_VFIO_DISK, "nvme");
	refused(SPEC, false, "bound to nvme, not to vfio-pci: dextctl bind " FAKE_VFIO_DISK);
	fake_sysfs_bind(FAKE_VFIO_DISK, NULL);
	refused(SPEC, false, "bound to no driver, not to vfio-pci: dextctl bind " FAKE_VFIO_DISK);
}

static void test_no_vfio(void **state)
{
	(void)state;
	fake_sysfs_remove();
	host_pci_paths = *fake_sysfs_create();
	fake_sysfs_add(&(struct fake_pci){ FAKE_VFIO_DISK, 0x144da808, 0x010802, "nvme", 7 });
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
	fake_vfio.unopenable = "/dev/vfio/noiommu-7";
	fake_vfio.open_error = EPERM;
	refused(SPEC ",iommu=noiommu", false, "/dev/vfio/noiommu-7");
	fake_vfio.unopenable = NULL;
	provider = create(SPEC ",iommu=noiommu");
	/* No bus address is safe, so none is given out. */
	assert_int_not_equal(
		provider->ops->dma_map(provider, &request, &segment), kIOReturnSuccess);
	provider->ops->destroy(provider);
}

static void test_group(void **state)
{
	(void)state;
	fake_vfio.group_flags = 0;
	refused(SPEC, false, "is not viable: dextctl list --host");
	fake_sysfs_bind(FAKE_VFIO_NIC, "e1000e");
	refused(SPEC, false,
		FAKE_VFIO_NIC ", which is bound to e1000e: dextctl bind " FAKE_VFIO_NIC);
	fake_sysfs_add(&(struct fake_pci){ BRIDGE, 0x80861901, 0x060400, "pcieport", 7 });
	refused(SPEC, false, "dextctl bind " FAKE_VFIO_NIC " (a bridge in the group lacks ACS)");
	fake_sysfs_bind(FAKE_VFIO_NIC, NULL);
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
		fake_vfio.unopenable = cases[i].path;
		fake_vfio.open_error = cases[i].error;
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
	fake_vfio.error = EINVAL;
	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_vfio.failing = cases[i].request;
		refused(SPEC, false, cases[i].text);
	}
	fake_vfio.error = 0;
	fake_vfio_set_config(0, UINT32_MAX);
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
	fake_vfio_set_config(FAKE_VFIO_PM + 4, 3);
	assert_int_equal(provider->ops->open(provider), kIOReturnSuccess);
	provider->ops->config_read(provider, FAKE_VFIO_PM + 4, 2, &value);
	assert_int_equal(value & 3, 0);
	fake_vfio_set_config(FAKE_VFIO_PM + 4, 3);
	fake_vfio.is_stuck = true;
	log_begin();
	assert_int_equal(provider->ops->open(provider), kIOReturnNotResponding);
	log_has("echo on > /sys/bus/pci/devices/" FAKE_VFIO_DISK "/power/control");
	provider->ops->destroy(provider);
}

static void test_disabled_bar(void **state)
{
	struct pci_provider *provider = create(SPEC);
	uint64_t value;

	(void)state;
	assert_int_equal(provider->ops->bar_read(provider, 0, 0, 4, &value), kIOReturnSuccess);
	fake_vfio.bar_error = EIO;
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
	fake_vfio.failing = VFIO_IOMMU_MAP_DMA;
	fake_vfio.error = ENOMEM;
	log_begin();
	assert_int_equal(
		provider->ops->dma_map(provider, &request, &segment), kIOReturnNoResources);
	log_has("cannot be mapped at bus address");
	fake_vfio.error = 0;
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
	assert_int_equal(fake_vfio.maps, 0);
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
	assert_int_equal(write(fake_vfio.request, &(uint64_t){ 1 }, 8), 8);
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
	assert_int_equal(fake_vfio.iova, 0x10000);
	assert_int_equal(fake_vfio.length, 8192);
	assert_int_equal(fake_vfio.map_flags, flags);
	provider->ops->dma_unmap(provider, &segment);
	assert_int_equal(fake_vfio.unmaps, 1);
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
	fake_vfio.has_iommufd = true;
	fake_sysfs_write("", "sys/bus/pci/devices/" FAKE_VFIO_DISK "/vfio-dev/vfio0/dev");
	provider = create(SPEC);
	map_and_unmap(provider, 7); /* fixed address, writable, readable */
	provider->ops->destroy(provider);
}

static void test_iommufd_errors(void **state)
{
	(void)state;
	fake_vfio.has_iommufd = true;
	fake_sysfs_write("", "sys/bus/pci/devices/" FAKE_VFIO_DISK "/vfio-dev/vfio0/dev");
	fake_vfio.unopenable = "/dev/vfio/devices/vfio0";
	fake_vfio.open_error = EACCES;
	refused(SPEC, false, "no permission to open /dev/vfio/devices/vfio0: run as root");
	fake_vfio.unopenable = "/dev/iommu";
	refused(SPEC, false, "no permission to open /dev/iommu: run as root");
	fake_vfio.unopenable = NULL;
	fake_vfio.error = EBUSY;
	fake_vfio.failing = FAKE_DEVICE_BIND;
	fake_sysfs_bind(FAKE_VFIO_NIC, "e1000e");
	refused(SPEC, false, "dextctl bind " FAKE_VFIO_NIC);
	fake_vfio.failing = FAKE_IOAS_ALLOC;
	refused(SPEC, false, "/dev/iommu");
	fake_vfio.failing = FAKE_DEVICE_ATTACH;
	refused(SPEC, false, "address space");
	fake_vfio.failing = FAKE_IOAS_RANGES;
	refused(SPEC, false, "its IOMMU cannot be");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fake_vfio_setup, fake_vfio_teardown)
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
