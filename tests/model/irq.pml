/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arm, fire, mask, read: the protocol of driver/irq.c and of a client that waits, with
 * one vector, every order of steps tried.
 *
 * A device fires FIRES times. A client waits for its notification, takes the pending
 * bit (by the call, or in the mapped page) and arms again. A second thread of the
 * client's masks and unmasks, and arms as well. Each fire is either dropped, as the
 * vector is masked, or ends up taken by the client.
 *
 * MUTATION, when it is set, breaks one step; run.sh asks that each is found.
 *   1  arming does not look at the pending bit
 *   2  a fire reads what is armed before it sets the bit, without the lock
 *   3  a fire sets the bit without looking at the mask
 *   4  the mask is set without the lock
 *   5  the client clears the bit after it has seen to what it stood for, not before
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

bool pending = false, wanted = true, armed = false;	/* wanted: the bit in enabled[] */
byte notified = 0;	/* completions that the client's queue has not run */

bool unseen = false;	/* a fire that set the bit has not been taken yet: what must not be lost */
bool masked = false;	/* SetIRQMask has returned, with the vector's bit clear */

inline complete()
{
	if
	:: armed -> atomic { armed = false; notified++ }
	:: else
	fi
}

/* fire(), on a thread of the provider's. */
proctype device()
{
	byte left = FIRES;
	bool was_armed, was_wanted;

	do
	:: left > 0 ->
		left--;
#if MUTATION == 2
		was_armed = armed;
#else
		LOCK;
#endif
		was_wanted = wanted;
		if
#if MUTATION == 3
		:: true ->
#else
		:: was_wanted ->
#endif
			atomic {
				pending = true;
				unseen = true;
				/* Dropped when masked: not a bit after the mask's return. */
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

/* WaitInterrupt: whatever was armed before is replaced. */
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
 * Take the pending bit: one exchange, without the lock, as from the mapped page. Then
 * whatever has set it until now is seen to.
 */
inline take()
{
#if MUTATION == 5
	unseen = false;
	pending = false
#else
	pending = false;
	unseen = false
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
		take();
		arm()
	od
}

/* Another thread of the client's. */
proctype masker()
{
	byte left = TOGGLES;

	do
	:: left > 0 ->
		left--;
#if MUTATION != 4
		LOCK;
#endif
		wanted = false;
#if MUTATION != 4
		UNLOCK;
#endif
		masked = true;
		masked = false;
		wanted = true;	/* in the page */
		if
		:: arm()
		:: skip
		fi
	:: else -> break
	od
}

/*
 * Once nothing can move any more, whatever was accepted has been seen to: a client
 * that waits with the bit set is the lost wake-up.
 */
proctype referee()
{
	timeout -> assert(!unseen && !pending)
}

init
{
	atomic { run client(); run device(); run masker(); run referee() }
}
