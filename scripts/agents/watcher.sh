#!/bin/sh
# An agent that reacts to GitOps runs. watcher.sh BOARD NAME [COUNT]
#
#   a new commit     runs $ON_COMMIT COMMIT BATCH RUN, as an audit
#   a gate failure   runs $ON_FAILURE GATE BATCH RUN, as one more try
#
# and tells of it on its own lane, watchers/NAME: watcher.saw with what it saw
# and how its program ended. It ends after COUNT reactions; without, never.
# Needs no daemon and nothing but sh, tail and sed: lane gitops is a file.
#
# What stands on a board was written by others. Only words of harmless bytes
# are taken out of an event, none is ever part of a command's text.
set -eu
LC_ALL=C
export LC_ALL
board=$1 name=$2 left=${3:--1}
lane=$board/watchers/$name.jsonl
mkdir -p "$board/watchers"
[ -e "$board/gitops.jsonl" ] || : >>"$board/gitops.jsonl"

# field NAME LINE: the text of a field, if it is harmless.
field() {
	printf '%s\n' "$2" | sed -n 's/.*"'"$1"'":"\([A-Za-z0-9][A-Za-z0-9._-]*\)".*/\1/p'
}

# saw WHAT PROGRAM REF BATCH RUN
saw() {
	code=0
	if [ -n "$2" ]; then
		"$2" "$3" "$4" "$5" </dev/null >&2 || code=$?
	fi
	printf '{"type":"watcher.saw","data":{"what":"%s","ref":"%s","batch_id":"%s","run_id":"%s","exit":%d}}\n' "$1" "$3" "$4" "$5" "$code" >>"$lane"
	left=$((left - 1))
}

fifo=$(mktemp -u)
mkfifo -m 600 "$fifo"
tail -n +1 -F "$board/gitops.jsonl" >"$fifo" 2>/dev/null &
tail=$!
trap 'kill "$tail" 2>/dev/null; rm -f "$fifo"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
exec 3<"$fifo"
while [ "$left" -ne 0 ] && IFS= read -r line <&3; do
	case $line in
	*'"type":"gitops.batch"'*) ;;
	*) continue ;;
	esac
	batch=$(field batch_id "$line") run=$(field run_id "$line")
	case $line in
	*'"outcome":"committed","commit_sha":"'*)
		saw commit "${ON_COMMIT:-}" "$(field commit_sha "$line")" "$batch" "$run"
		;;
	*'"outcome":"failed"'* | *'"gates":['*'"outcome":"error"'*)
		gate=$(printf '%s\n' "$line" | sed -n -e 's/.*"gate_id":"\([A-Za-z0-9][A-Za-z0-9._-]*\)","outcome":"failed".*/\1/p' \
			-e 's/.*"gate_id":"\([A-Za-z0-9][A-Za-z0-9._-]*\)","outcome":"error".*/\1/p' | head -n 1)
		saw gate_failure "${ON_FAILURE:-}" "$gate" "$batch" "$run"
		;;
	esac
done
