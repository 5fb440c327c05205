/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Model of interrupts: driver/irq.c and a client that waits for notifications, with one vector.
 * Spin checks all interleavings.
 *
 * A device raises the vector FIRES times. The client waits for a notification, reads and clears
 * the pending bit (by a call, or in the mapped page) and arms the notification again. A second
 * thread of the client masks and unmasks the vector, and arms too. Property: each interrupt is
 * either dropped, because the vector is masked, or handled by the client.
 *
 * MUTATION other than 0 introduces an error; run.sh requires that Spin finds each of them.
 *   1  arming does not check the pending bit
 *   2  an interrupt reads the armed state before it sets the pending bit, without the lock
 *   3  an interrupt sets the pending bit without checking the mask
 *   4  the mask is set without the lock
 *   5  the client clears the pending bit after it has handled the interrupt, not before
 */
#ifndef MUTATION
#define MUTATION 0
#endif
#ifndef FIRES
#define FIRES 3
#endif
#ifndef TOGGLES
#define TOGGLES 2
#endif

bool lock = false;
#define LOCK   atomic { !lock -> lock = true }
#define UNLOCK lock = false

bool pending = false, unmasked = true, armed = false;	/* unmasked: the bit in enabled[] */
byte notified = 0;	/* notifications that the client's queue has not handled yet */

bool unhandled = false;	/* an interrupt that has set the pending bit is not handled yet */
bool masked = false;	/* SetIRQMask has returned, with the vector's bit clear */

inline complete()
{
	if
	:: armed -> atomic { armed = false; notified++ }
	:: else
	fi
}

/* fire() of driver/irq.c, on a thread of the provider. */
proctype device()
{
	byte left = FIRES;
	bool was_armed, was_unmasked;

	do
	:: left > 0 ->
		left--;
#if MUTATION == 2
		was_armed = armed;
#else
		LOCK;
#endif
		was_unmasked = unmasked;
		if
#if MUTATION == 3
		:: true ->
#else
		:: was_unmasked ->
#endif
			atomic {
				pending = true;
				unhandled = true;
				/* No pending bit is set after SetIRQMask has returned. */
				assert(!masked);
			}
#if MUTATION == 2
			if
			:: was_armed -> atomic { armed = false; notified++ }
			:: else
			fi
#else
			complete()
#endif
#if MUTATION != 3
		:: else	/* dropped */
#endif
		fi;
#if MUTATION != 2
		UNLOCK
#endif
	:: else -> break
	od
}

/* WaitInterrupt. A notification that was armed before is replaced. */
inline arm()
{
	LOCK;
	armed = true;
#if MUTATION != 1
	if
	:: pending -> complete()
	:: else
	fi;
#endif
	UNLOCK
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
	arm();
end_waiting:
	do
	:: notified > 0 ->
		notified--;
		handle();
		arm()
	od
}

/* Another thread of the client. */
proctype masker()
{
	byte left = TOGGLES;

	do
	:: left > 0 ->
		left--;
#if MUTATION != 4
		LOCK;
#endif
		unmasked = false;
#if MUTATION != 4
		UNLOCK;
#endif
		masked = true;
		masked = false;
		unmasked = true;	/* in the mapped page */
		if
		:: arm()
		:: skip
		fi
	:: else -> break
	od
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
	atomic { run client(); run device(); run masker(); run checker() }
}
