# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# Kills and restarts of each of the two services while the other runs.

restarts=$(property "$SERVER" NRestarts)
pid=$(main_pid "$SERVER")
kill -KILL "$pid"
check "server killed: restarted" retry_for 30 another_pid "$SERVER" "$pid"
check "server killed: by systemd, once" is "$SERVER" NRestarts $((restarts + 1))
check "server killed: serves again" look

# A client that stays connected, and queries the device again on request.
mkfifo looks
as monitor ./vfio-user-look "$SOCKETS/vfio-user-01:00.0.sock" <looks >seen 2>&1 &
client=$!
exec 4<>looks	# does not wait for a reader

seen() {
	tail -n 1 seen | grep -q ', 9 regions, '
}

more_than() {
	[ "$(wc -l <seen)" -gt "$1" ]
}

# sees_again - whether the client finds the device in a new query
sees_again() {
	local before
	before=$(wc -l <seen)
	echo >&4
	retry_for 10 more_than "$before"
	seen
}

check "client: finds the device" retry_for 30 seen
pid=$(main_pid "$SERVER")
for way in "restart dextd" "kill --signal=KILL dextd"; do
	driver=$(main_pid dextd)
	# shellcheck disable=SC2086 # words
	check "dextd, $way" systemctl $way
	check "dextd, $way: in another process" retry_for 30 another_pid dextd "$driver"
	check "dextd, $way: the client finds the device again" retry_for 30 sees_again
	check "dextd, $way: the server was not restarted" is "$SERVER" MainPID "$pid"
	check "dextd, $way: the server is active" is "$SERVER" ActiveState active
done
exec 4>&-
wait $client
check "dextd restarted: a new client is served too" look
