/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Model of interrupts: driver/irq.c, client/irq-page.c, client/notify.c, and a provider that signals
 * eventfds itself, with one vector. Spin checks all interleavings.
 *
 * A device raises the vector FIRES times. The client waits for a notification, reads and clears
 * the pending bit (by a call, or in the mapped page) and arms the notification again: by a call of
 * WaitInterrupt or ArmInterrupts, or by a store if the last call was ArmInterrupts. A second thread
 * of the client masks and unmasks the vector, and arms too. A third thread passes an eventfd for
 * the vector and withdraws it. Property: each interrupt is either dropped, because the vector is
 * masked, or signals the eventfd, or is handled by the client.
 *
 * MUTATION other than 0 introduces an error; run.sh requires that Spin finds each of them.
 *   1  arming by a call does not check the pending bit
 *   2  an interrupt reads the armed state before it sets the pending bit, without the lock
 *   3  an interrupt sets the pending bit without checking the mask
 *   4  the mask is set without the lock
 *   5  the client clears the pending bit after it has handled the interrupt, not before
 *   6  an interrupt clears the armed word before it sets the pending bit
 *   7  arming by a store checks the pending bit before the store
 *   8  the client clears the armed word again, and does not run its handler
 *   9  WaitInterrupt does not replace ArmInterrupts as the kind of the armed call
 *   10 two threads make the arming calls without a lock
 *   11 the provider is not told that the eventfd is withdrawn
 *   12 the provider is not told of the mask
 */
#ifndef MUTATION
#define MUTATION 0
#endif
#ifndef FIRES
#define FIRES 3
#endif
#ifndef TOGGLES
#define TOGGLES 1
#endif

bool lock = false;		/* dext_driver.irq_lock */
bool driver_lock = false;	/* dext_driver.lock */
bool route_lock = false;	/* the provider's */
bool registering = false;	/* irq_page.registering */
#define LOCK(which)   atomic { !which -> which = true }
#define UNLOCK(which) which = false

bool pending = false, unmasked = true;	/* in the page; unmasked: the bit in enabled[] */
bool word = false;			/* armed, in the page */
bool armed = false, stays = false;	/* a call is armed; it is one of ArmInterrupts */
bool owner = false;			/* the client arms by a store */
byte notified = 0;	/* notifications that the client's queue has not handled yet */
bool queued = false;	/* the client library has queued a run of the handler */
bool eventfd = false;	/* the driver has one for the vector */
bool direct = false;	/* the provider has it too, and signals it itself */
bool provider_signals;	/* it can */

bool unhandled = false;	/* an interrupt that has set the pending bit is not handled yet */
bool masked = false;	/* SetIRQMask has returned, with the vector's bit clear */
bool withdrawn = true;	/* SetInterruptEventfds has returned, without an eventfd */

inline complete(was)
{
	if
	:: armed && stays ->
		atomic { was = word; word = false };
		if
		:: was -> notified++
		:: else
		fi
	:: armed && !stays -> atomic { armed = false; notified++ }
	:: else
	fi
}

/* No signal is sent after SetIRQMask has returned. The reader of the eventfd is not modelled. */
inline signal()
{
	assert(!masked && !withdrawn)
}

/* fire() of driver/irq.c, on a thread of the provider, with the lock of the provider. */
inline fire()
{
#if MUTATION == 2
	was_armed = armed && !stays;
#else
	LOCK(lock);
#endif
	was_unmasked = unmasked;
	if
#if MUTATION != 3
	:: !was_unmasked -> skip	/* dropped */
#endif
	:: was_unmasked && eventfd -> signal()
#if MUTATION == 3
	:: !eventfd ->
#else
	:: was_unmasked && !eventfd ->
#endif
#if MUTATION == 6
		atomic { was_armed = stays && word; if :: stays -> word = false :: else fi };
#endif
		atomic {
			pending = true;
			unhandled = true;
			assert(!masked)
		};
#if MUTATION == 2
		if
		:: was_armed -> atomic { armed = false; notified++ }
		:: else -> if :: stays -> complete(was_armed) :: else fi
		fi
#elif MUTATION == 6
		if
		:: was_armed -> notified++
		:: else -> if :: !stays -> complete(was_armed) :: else fi
		fi
#else
		complete(was_armed)
#endif
	fi;
#if MUTATION != 2
	UNLOCK(lock)
#endif
}

proctype device()
{
	byte left = FIRES;
	bool was_armed, was_unmasked;

	do
	:: left > 0 ->
		left--;
		LOCK(route_lock);
		if
		:: direct -> signal()
		:: else -> fire()
		fi;
		UNLOCK(route_lock)
	:: else -> break
	od
}

/* ArmInterrupts or WaitInterrupt. A call that was armed before is replaced. */
inline arm_by_call(is_stays)
{
#if MUTATION != 10
	LOCK(registering);
#endif
	owner = is_stays;
	LOCK(lock);
	armed = true;
#if MUTATION == 9
	stays = stays || is_stays;
#else
	stays = is_stays;
#endif
	word = is_stays;
#if MUTATION != 1
	if
	:: pending -> complete(got)
	:: else
	fi;
#endif
	UNLOCK(lock);
#if MUTATION != 10
	UNLOCK(registering)
#endif
}

/* irq_page_arm(); its lock is held. */
inline arm_by_store()
{
#if MUTATION == 7
	got = pending;
	word = true;
	if
	:: got ->
#else
	word = true;
	if
	:: pending ->
#endif
		atomic { got = word; word = false };
		if
#if MUTATION == 8
		:: got -> skip
#else
		:: got -> queued = true
#endif
		:: else
		fi
	:: else
	fi
}

bool page_lock = false;	/* client/irq-page.c */

inline arm()
{
	LOCK(page_lock);
	if
	:: owner -> arm_by_store(); UNLOCK(page_lock)
	:: else ->
		UNLOCK(page_lock);
		if
		:: arm_by_call(true)
		:: arm_by_call(false)
		fi
	fi
}

/*
 * Clear the pending bit, atomically and without the lock, as in the mapped page. Then handle all
 * interrupts that have set it.
 */
inline handle()
{
#if MUTATION == 5
	unhandled = false;
	pending = false
#else
	pending = false;
	unhandled = false
#endif
}

/* The client's handler on its serial queue. */
proctype client()
{
	bool got;

	arm();
end_waiting:
	do
	:: notified > 0 ->
		notified--;
		handle();
		arm()
	:: queued ->
		queued = false;
		handle();
		arm()
	od
}

/* route_eventfds(): tell the provider which eventfd to signal. dext_driver.lock is held. */
inline route()
{
	if
	:: provider_signals ->
		LOCK(route_lock);
		direct = eventfd && unmasked;
		UNLOCK(route_lock)
	:: else
	fi
}

/* Another thread of the client. */
proctype masker()
{
	byte left = TOGGLES;
	bool got;

	do
	:: left > 0 ->
		left--;
#if MUTATION != 4
		LOCK(lock);
#endif
		unmasked = false;
#if MUTATION != 4
		UNLOCK(lock);
#endif
		LOCK(driver_lock);
#if MUTATION != 12
		route();
#endif
		UNLOCK(driver_lock);
		masked = true;
		masked = false;
		unmasked = true;	/* in the mapped page */
		if
		:: arm()
		:: arm_by_call(true)
		:: skip
		fi
	:: else -> break
	od
}

/* A third thread. */
proctype passer()
{
	LOCK(driver_lock);
	withdrawn = false;
	LOCK(lock);
	eventfd = true;
	UNLOCK(lock);
	route();
	UNLOCK(driver_lock);

	LOCK(driver_lock);
	LOCK(lock);
	eventfd = false;
	UNLOCK(lock);
#if MUTATION != 11
	route();
#endif
	UNLOCK(driver_lock);
	withdrawn = true
}

/*
 * When no other process can take a step, all interrupts that were not dropped have been handled.
 * A client that waits while the pending bit is set has lost a notification.
 */
proctype checker()
{
	timeout -> assert(!unhandled && !pending)
}

init
{
	if
	:: provider_signals = true
	:: provider_signals = false
	fi;
	atomic { run client(); run device(); run masker(); run passer(); run checker() }
}
