/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The call channel of iokit/channel.c beside its socket: one client, one service, every order of
 * steps.
 *
 * The client makes CALLS calls, by the slot or by the socket, some with a one-way message before
 * them, and closes. The service polls or sleeps as it likes, and may ask the client a question in
 * the middle of a call. Checked: each call gets its own reply, a one-way message is served before
 * the call that follows it, and nobody waits for ever. Polling may only end by itself while the
 * client does not wait in the socket: so a message that a polling service would not see is found
 * as a deadlock.
 *
 * MUTATION, when it is set, breaks one step; run.sh asks that each is found.
 *   1  the service begins to poll without looking at the socket once more
 *   2  the client sends a message and leaves the service polling
 *   3  the service replies in the slot although the client waits in the socket
 *   4  the service stops polling without looking whether a request has come
 *   5  the client waits in the socket without looking whether the reply has come
 */
#ifndef MUTATION
#define MUTATION 0
#endif
#ifndef CALLS
#define CALLS 3
#endif

#define SOCKET	0
#define POLLING 1
#define POSTED	2
#define WAITING 3

mtype = { call, oneway, answer, question, reply };

byte state = SOCKET;
byte slot_request, slot_oneways, slot_reply;
chan to_service = [3] of { mtype, byte, byte };
chan to_client = [2] of { mtype, byte };
bool closed = false;
bool in_socket = false; /* the client waits there */

inline withdraw_polling()
{
	if
	:: MUTATION == 2 -> skip
	:: else -> atomic {
		if
		:: state == POLLING -> state = SOCKET
		:: else -> skip
		fi
	}
	fi
}

proctype client()
{
	byte id = 1, oneways = 0, got, seen;
	bool posted;

	do
	:: id > CALLS -> break
	:: else ->
		if
		:: skip
		:: oneways < 1 ->
			oneways++;
			to_service!oneway(0, 0);
			withdraw_polling()
		fi;
		posted = false;
		if
		:: state == POLLING ->
			slot_request = id;
			slot_oneways = oneways;
			atomic {
				if
				:: state == POLLING -> state = POSTED; posted = true
				:: else -> skip
				fi
			}
		:: skip
		fi;
		if
		:: posted ->
			seen = POSTED;
			do
			:: seen == POSTED && state != POSTED -> seen = state
			:: seen == POSTED -> /* it has taken too long */
				if
				:: MUTATION == 5 -> state = WAITING; seen = WAITING
				:: else -> atomic {
					if
					:: state == POSTED -> state = WAITING; seen = WAITING
					:: else -> seen = state
					fi
				}
				fi
			:: seen != POSTED -> break
			od
		:: else ->
			to_service!call(id, oneways);
			withdraw_polling();
			seen = WAITING
		fi;
		if
		:: seen == WAITING ->
			in_socket = true;
			do
			:: to_client?question(got) -> to_service!answer(got, 0)
			:: to_client?reply(got) -> break
			od;
			in_socket = false
		:: else ->
			assert(seen == POLLING || seen == SOCKET);
			got = slot_reply
		fi;
		assert(got == id);
		id++
	od;
	closed = true
}

/* Execute call @id, and reply. */
inline serve()
{
	if
	:: skip
	:: skip -> /* ask the client a question in between */
		if
		:: by_slot -> atomic {
			if
			:: state == POSTED -> state = WAITING
			:: else -> skip
			fi
		}
		:: else -> skip
		fi;
		to_client!question(id);
		to_service?answer(named, _);
		assert(named == id)
	fi;
	if
	:: by_slot ->
		slot_reply = id;
		if
		:: MUTATION == 3 -> state = POLLING
		:: else -> atomic {
			if
			:: state == POSTED -> state = POLLING
			:: else -> by_slot = false; state = SOCKET
			fi
		}
		fi
	:: else -> skip
	fi;
	if
	:: by_slot -> skip
	:: else -> to_client!reply(id)
	fi
}

/* A message from the socket. */
inline receive()
{
	if
	:: kind == oneway -> oneways++
	:: else ->
		assert(kind == call && named == oneways);
		by_slot = false;
		serve()
	fi
}

proctype service()
{
	byte id, named, oneways = 0;
	bool polling = false, by_slot;
	mtype kind;

	do
	:: polling ->
		if
		:: state == POSTED || state == WAITING ->
			id = slot_request;
			assert(slot_oneways == oneways);
			by_slot = true;
			serve()
		:: state == SOCKET -> polling = false
		:: state == POLLING && !in_socket ->
			if
			:: MUTATION == 4 -> state = SOCKET; polling = false
			:: else -> atomic {
				if
				:: state == POLLING -> state = SOCKET; polling = false
				:: else -> skip
				fi
			}
			fi
		fi
	:: !polling ->
		if
		:: to_service?kind(id, named) -> receive()
		:: closed && empty(to_service) -> break
		fi;
		if
		:: skip
		:: skip ->
			state = POLLING;
			polling = true;
			do
			:: MUTATION == 1 -> break
			:: MUTATION != 1 && empty(to_service) -> break
			:: MUTATION != 1 && nempty(to_service) ->
				to_service?kind(id, named);
				receive()
			od
		fi
	od
}

init
{
	atomic { run client(); run service() }
}
