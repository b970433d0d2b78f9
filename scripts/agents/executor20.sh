#!/bin/sh
# An executor in twenty lines: it claims a shard, runs its argv, puts the output
# into the store, reports. executor.sh also beats, feeds standard input and
# limits time; what fails here is tried again when its lease has run out.
#   scripts/agents/executor20.sh BOARD NAME
board=$1 me=$2-$$ cas=$1/.stigmergy/cas && mkdir -p "$board/executors" "$cas"
say() { printf '{"type":"federation.%s","data":{"executor":"%s",%s}}\n' "$1" "$me" "$2" >>"$board/executors/$me.jsonl"; }
say claim '"max":1'
tail --pid=$$ -n 100 -F "$board/hxo.jsonl" "$board/board.jsonl" 2>/dev/null | while IFS= read -r line; do
	case $line in
	*'"hxo.shard.claimed"'*"\"executor\":\"$me\""*)
		eval "$(printf '%s' "$line" | jq -r '.data | "set -- \(.argv | @sh); shard=\({plan_id, stage_id, cas_id, attempt} | tojson[1:-1] | @sh)"')"
		if "$@" >"$cas/.$me" </dev/null; then
			sum=$(sha256sum <"$cas/.$me" | cut -c1-64) && mkdir -p "$cas/${sum%"${sum#??}"}" && sync "$cas/.$me" &&
				mv -f "$cas/.$me" "$cas/${sum%"${sum#??}"}/${sum#??}" && say result "$shard,\"ok\":true,\"output_digest\":\"$sum\""
		else say result "$shard,\"ok\":false,\"error\":\"exit status $?\""; fi
		say claim '"max":1' ;;
	*'"board.rejected"'*"executors/$me@"*'"no_shard"'*) say claim '"max":1' ;;
	esac
done
