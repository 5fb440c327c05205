/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of libdispatch that clients of IOKit's user clients need: serial queues. */
#ifndef DISPATCH_DISPATCH_H
#define DISPATCH_DISPATCH_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dispatch_queue_s *dispatch_queue_t;
typedef struct dispatch_queue_attr_s *dispatch_queue_attr_t;
typedef void (*dispatch_function_t)(void *context);

#define DISPATCH_QUEUE_SERIAL ((dispatch_queue_attr_t)0)

/**
 * dispatch_queue_create - create a queue that runs one work item at a time, in order
 * @label: a name for debuggers, copied; may be NULL
 * @attr: DISPATCH_QUEUE_SERIAL, the only kind here
 *
 * Return: a new reference, or NULL without memory or threads.
 */
dispatch_queue_t dispatch_queue_create(const char *label, dispatch_queue_attr_t attr);
/** dispatch_retain - take one more reference to @queue. */
void dispatch_retain(dispatch_queue_t queue);
/**
 * dispatch_release - drop a reference
 *
 * After the last one, work that is queued still runs, then the queue is freed. May be called
 * from work that runs on the queue.
 */
void dispatch_release(dispatch_queue_t queue);
/** dispatch_async_f - run @work(@context) on @queue, later. Safe from any thread. */
void dispatch_async_f(dispatch_queue_t queue, void *context, dispatch_function_t work);
/**
 * dispatch_sync_f - run @work(@context) on @queue after the work queued before, and wait for it
 *
 * From work that runs on the same queue it would deadlock: it aborts the program with a message,
 * as Apple's does.
 */
void dispatch_sync_f(dispatch_queue_t queue, void *context, dispatch_function_t work);

#ifdef __cplusplus
}
#endif
#endif
