/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vfio-user server: one device of the driver extension, on one socket, for
 * one VMM at a time.
 *
 * Threads: a server and its device belong to the thread that calls
 * vu_server_run(), with one more that the client library brings, for
 * interrupts. A process may have several of both.
 */
#ifndef VFIO_USER_VFIO_USER_H
#define VFIO_USER_VFIO_USER_H

#include <dext-abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How BARs are reached. */
enum vu_bar_access {
	VU_BARS_MAPPED, /* loads and stores; calls for what cannot be mapped */
	VU_BARS_CALLS,	/* a call of the driver for each access */
	VU_BARS_SHARED, /* as VU_BARS_MAPPED; and by the client itself, who maps them too */
	VU_BARS_AUTO,	/* calls for a device that would poll mapped BARs; otherwise mapped */
};

struct vu_device_options {
	uint8_t bus, device, function;
	char root[DEXT_ROOT_MAX]; /* the PCI root's name; "": the address alone will do */
	enum vu_bar_access bar_access;
	unsigned poll_us; /* how long to poll for the next message; 0: not at all */
	bool verbose;	  /* one line for each message */
	bool reconnect;	  /* a driver service that goes will be back: wait for it */
};

/* How long dext-vfio-user polls unless it is told otherwise, and at most. */
#define VU_POLL_US     100u
#define VU_POLL_US_MAX 10000u

/* Room for any error line, paths of the longest kind included. */
#define VU_ERROR_SIZE 512

struct vu_device;
struct vu_server;

/**
 * vu_device_open - find a device, claim it for this server alone, set it up
 * @error: VU_ERROR_SIZE bytes; gets one line without a newline when it fails
 *
 * Return: the device for vu_device_close(), or NULL.
 */
struct vu_device *vu_device_open(const struct vu_device_options *options, char *error);
/** vu_device_close - give it up; its server has been destroyed. NULL is fine. */
void vu_device_close(struct vu_device *device);
/** vu_device_name - its address as text, "01:00.0", while it is open. */
const char *vu_device_name(const struct vu_device *device);

/** vu_server_path_limit - how many bytes the path of a socket may have. */
size_t vu_server_path_limit(void);

/**
 * vu_server_create - listen on a socket
 * @device: what to serve; must outlive the server
 * @path: of the socket; a stale one there is replaced, one in use is not
 * @error: VU_ERROR_SIZE bytes; gets one line without a newline when it fails
 *
 * Return: the server, already listening, or NULL.
 */
struct vu_server *vu_server_create(struct vu_device *device, const char *path, char *error);
/**
 * vu_server_run - serve one client after the other
 *
 * A client that comes while another is there is turned away at once.
 *
 * With @reconnect the server stays when the device goes, and goes on when it is back.
 * In the middle of a client's session the device must be the same as before, and
 * what the client has set up is set up again; for the next client any device of that
 * address will do. A client that may have mapped BARs (VU_BARS_SHARED) is asked to let
 * go of the device instead.
 *
 * Return: true after vu_server_stop(); false when it cannot go on, because the
 * device has gone or the socket has failed, which has been said in one line.
 */
bool vu_server_run(struct vu_server *server);
/** vu_server_stop - make vu_server_run() return. Safe in a signal handler and from any thread. */
void vu_server_stop(struct vu_server *server);
/** vu_server_destroy - remove the socket. vu_server_run() has returned. NULL is fine. */
void vu_server_destroy(struct vu_server *server);

#endif
