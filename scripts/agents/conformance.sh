#!/bin/sh
# Proves a writer. conformance.sh BOARD LANE [WRITER…]
#
#   scripts/agents/conformance.sh board agents/7
#   scripts/agents/conformance.sh board agents/7 python3 scripts/agents/agent.py
#
# WRITER is called as WRITER FILE NAME COUNT PAD FIRST and appends COUNT events
# of type agent.note with data {"writer":NAME,"n":…,"pad":"xx…"}; without one,
# agent.sh beside this file is proved. Everything here is sh, tail, grep and wc:
# what an agent without our binary can do. It appends to LANE.
#
# With a daemon on the board it also shows how a writer that has nothing but
# echo and tail hears that a line was refused. Exit: 0 proved, 1 not, 2 usage.
set -u
LC_ALL=C
export LC_ALL
[ $# -ge 2 ] || {
	sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
board=$1 lane=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- sh "$here/agent.sh"
[ -d "$board/.stigmergy" ] || {
	echo "conformance: $board is no board (it holds no .stigmergy): run \`stigmergy init\`" >&2
	exit 2
}
file=$board/$lane.jsonl
mkdir -p "$(dirname "$file")"
run=$$ failed=0 tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

ok() { echo "ok    $*"; }
no() {
	echo "FAIL  $*"
	failed=1
}
# expect WHAT FOUND WANTED
expect() {
	if [ "$2" = "$3" ]; then ok "$1"; else no "$1: expected $3, found $2"; fi
}
# whole NAME LENGTH: lines of this writer that are whole and of the right size
whole() {
	grep -E "^\{\"type\": ?\"agent\.note\", ?\"data\": ?\{\"writer\": ?\"$1\", ?\"n\": ?[0-9]+, ?\"pad\": ?\"x{$2}\"\}\}\$" "$file" | sort -u | wc -l | tr -d ' '
}

# 1. One write a line. Four at once, on one file, below and above 4 KiB: every
# line must stand whole, once. Cut lines would be glued to others' pieces.
for pad in 100 6000 40000; do
	lines=25
	[ "$pad" -gt 100 ] || lines=250
	for w in 1 2 3 4; do
		"$@" "$file" "$run-$pad-$w" "$lines" "$pad" 1 &
	done
	wait
	got=0
	for w in 1 2 3 4; do
		# grep's {n} ends at 32,767: longer ones are counted by their ends
		if [ "$pad" -le 32767 ]; then n=$(whole "$run-$pad-$w" "$pad"); else n=$(grep "\"$run-$pad-$w\"" "$file" | grep -cE 'x"\}\}$'); fi
		got=$((got + n))
	done
	expect "4 writers, $lines lines each of $pad bytes: all whole, each once" "$got" $((4 * lines))
done

# 2. The same by the system calls, where strace is here to count them.
if command -v strace >/dev/null && strace -qq -e trace=none true 2>/dev/null; then
	real=$(cd "$(dirname "$file")" && pwd)/$(basename "$file")
	for pad in 100 6000 40000; do
		strace -f -qq -e trace=write,writev,pwrite64 -P "$real" -o "$tmp/calls" "$@" "$real" "$run-s$pad" 3 "$pad" 1 2>/dev/null
		expect "3 lines of $pad bytes are 3 calls of write(2)" "$(grep -cE '(write|writev|pwrite64)\(' "$tmp/calls")" 3
	done
else
	echo "skip  counting system calls: strace is not here, or may not trace"
fi

# 3. A line that a dead writer left unfinished is not glued to ours.
printf '{"type":"agent.note","data":{"writer":"%s-dead","n":1,"pad":"' "$run" >>"$file"
"$@" "$file" "$run-next" 1 10 1
expect "behind a torn line the writer begins a new one" "$(whole "$run-next" 10)" 1
expect "the file ends with a newline" "$(tail -c 1 "$file" | wc -l | tr -d ' ')" 1

# What follows needs a daemon that takes in.
hear() { # hear SECONDS FILE PATTERN: follow a file until a line matches
	: >"$tmp/heard"
	timeout "$1" sh -c 'tail -n +1 -F "$0" 2>/dev/null | grep -m 1 -e "$1" >"$2"' "$2" "$3" "$tmp/heard" &
	listener=$!
	i=0
	while [ ! -s "$tmp/heard" ] && kill -0 "$listener" 2>/dev/null && [ "$i" -lt $(($1 * 20)) ]; do
		sleep 0.05
		i=$((i + 1))
	done
	kill "$listener" 2>/dev/null
	wait "$listener" 2>/dev/null
	[ -s "$tmp/heard" ]
}
mark=refused-$run
printf '{"type":"agent.note","data":{"writer":"%s"},}\n' "$mark" >>"$file"
# The two places where an agent hears "refused", with tail alone:
#   tail -F board/quarantine/LANE.jsonl     the line, and why
#   tail -F board/board.jsonl               an event for each, of all lanes
wait=0
[ ! -S "$board/.stigmergy/sock" ] || wait=10 # somebody may be there
if [ $wait -gt 0 ] && hear $wait "$board/quarantine/$lane.jsonl" "$mark"; then
	ok "a refused line is heard: tail -F $board/quarantine/$lane.jsonl"
	expect "… with its reason" "$(grep -c '"reason":"not_json"' "$tmp/heard")" 1
	position=$(sed 's/.*"position":"\([^"]*\)".*/\1/' "$tmp/heard")
	if hear 5 "$board/board.jsonl" "\"board.quarantined\".*\"$position\""; then
		ok "… and as an event for everybody: tail -F $board/board.jsonl"
	else
		no "board.jsonl has no board.quarantined for $position"
	fi
	# 4. Half a line is no event; when its end comes, it is one.
	late=late-$run
	printf '{"type":"agent.note","data":{"writer":"%s",' "$late" >>"$file"
	printf '{"type":"agent.note"\n' >>"$board/conformance-$run.jsonl" # refused: the daemon has been here
	hear 5 "$board/quarantine/conformance-$run.jsonl" agent.note || no "the daemon stopped taking in"
	expect "half a line is left alone" "$(cat "$board/quarantine/$lane.jsonl" | grep -c "$late")" 0
	printf '"n":1,"pad":""}}}\n' >>"$file" # one brace too many: now it must be heard of
	if hear 5 "$board/quarantine/$lane.jsonl" "$late"; then ok "… until its newline comes"; else no "the line was never taken in"; fi
else
	echo "skip  hearing of refused lines: no daemon takes in $board (run \`stigmergy up\`)"
fi
[ "$failed" -eq 0 ] || echo "conformance: this writer does not keep the rule of docs/write-protocol.md" >&2
exit "$failed"
