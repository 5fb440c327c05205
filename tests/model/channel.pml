/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Model of the call channel of iokit/channel.c and its socket, with one client and one service.
 * Spin checks all interleavings.
 *
 * The client makes CALLS calls, in the slot or on the socket, some of them after a one-way message,
 * and closes the connection. The service polls the slot or waits for the socket, and may send the
 * client a question during a call. Properties: each call gets its own reply; a one-way message is
 * executed before the call that follows it; there is no deadlock. In the model, polling has a
 * timeout only while the client does not wait for the socket: if a polling service does not
 * detect a message on the socket, the model has a deadlock.
 *
 * MUTATION other than 0 introduces an error; run.sh requires that Spin finds each of them.
 *   1  the service begins to poll without checking the socket again
 *   2  the client sends a message without ending the polling of the service
 *   3  the service replies in the slot while the client waits for the socket
 *   4  the service ends polling without checking for a request
 *   5  the client begins to wait for the socket without checking for a reply
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
bool in_socket = false; /* the client waits for the socket */

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
			:: seen == POSTED -> /* timeout */
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
	:: skip -> /* send the client a question during the call */
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
