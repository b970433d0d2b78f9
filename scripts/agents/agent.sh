#!/bin/sh
# A writer in plain sh. agent.sh FILE NAME COUNT [PAD] [FIRST]
#
# Appends COUNT events {"type":"agent.note","data":{"writer":NAME,"n":1…,"pad":"xx…"}}
# to a lane's file. PAD is how many x each carries, FIRST the first number.
#
# The whole protocol is one line and one write(2) for it, on a file opened for
# appending. printf of dash, bash and busybox does that below 4,096 bytes; a
# longer line goes through dd, which writes what it read in one piece.
set -eu
LC_ALL=C
export LC_ALL
file=$1 name=$2 count=$3 pad=${4:-0} n=${5:-1}

# append LINE: the rule itself. Copy this.
append() {
	if [ "${#1}" -lt 4095 ]; then
		printf '%s\n' "$1" >>"$file"
		return
	fi
	tmp=$(mktemp)
	printf '%s\n' "$1" >"$tmp"
	dd if="$tmp" of="$file" bs=$((${#1} + 1)) count=1 oflag=append conv=notrunc 2>/dev/null
	rm -f "$tmp"
}

# A writer that died before us may have left a line without its end. A newline
# first keeps ours from being glued to it; an empty line is no event.
if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then
	append ''
fi

xs=
if [ "$pad" -gt 0 ]; then
	xs=$(head -c "$pad" /dev/zero | tr '\0' x)
fi
last=$((n + count))
while [ "$n" -lt "$last" ]; do
	append "{\"type\":\"agent.note\",\"data\":{\"writer\":\"$name\",\"n\":$n,\"pad\":\"$xs\"}}"
	n=$((n + 1))
done
