#!/bin/sh
# An executor that knows nothing but >> and tail -F (and jq, to read JSON).
#
#   scripts/agents/executor.sh BOARD NAME
#
# It claims one shard at a time, runs it, puts its output into the store and
# reports. Kill it whenever you like: its lease runs out, another one runs the
# shard. NAME is made unique: a lease binds it, and lane executors/NAME.
set -u
board=$(cd "$1" && pwd) name=$2-$$ tmp=$(mktemp -d) || exit
cas=$board/.stigmergy/cas lane=$board/executors/$name.jsonl new=$board/.stigmergy/cas/.$name.tmp
trap 'kill "$tail" ${beat:-} 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 143' INT TERM
mkdir -p "$board/executors" "$cas"
say() { printf '{"type":"federation.%s","data":{"executor":"%s",%s}}\n' "$1" "$name" "$2" >>"$lane"; }
get() { printf '%s\n' "$line" | jq -r ".data|$1"; }
claim() { say claim '"max":1,"wait":"30s"'; }
run() {
	feed=$(get '(if .stdin then .inputs else ["/dev/null"] end)|@sh')
	eval "set -- $(get '.argv|@sh')"
	mkdir "$tmp/cwd" && cd "$tmp/cwd" || return 1
	eval "cat -- $feed" | env -i PATH="$PATH" HOME="$tmp/cwd" LC_ALL=C timeout "$limit" "$@" >"$new" 2>"$tmp/err"
}
mkfifo "$tmp/said"
tail -n 100 -F "$board/hxo.jsonl" "$board/board.jsonl" >"$tmp/said" 2>/dev/null & tail=$!
claim
while IFS= read -r line; do
	case $line in
	*'"type":"hxo.shard.claimed"'*"\"executor\":\"$name\""*)
		shard=$(get '"\"plan_id\":\"\(.plan_id)\",\"stage_id\":\"\(.stage_id)\",\"cas_id\":\"\(.cas_id)\",\"attempt\":\(.attempt)"')
		id=$(get .cas_id) limit=$(get '.timeout_ms / 1000')
		while sleep 15; do say heartbeat "\"cas_ids\":[\"$id\"]"; done >/dev/null 2>&1 & beat=$!
		if (run); then
			sum=$(sha256sum <"$new" | cut -c1-64) && file=$cas/$(printf %s "$sum" | sed 's,..,&/,')
			mkdir -p "${file%/*}" && sync "$new" && mv -f "$new" "$file" && sync "${file%/*}" &&
				say result "$shard,\"ok\":true,\"output_digest\":\"$sum\""
		else
			say result "$shard,\"ok\":false,\"error\":$(tail -c 500 "$tmp/err" | jq -Rs '"the command failed: " + .')"
		fi
		kill "$beat"
		rm -rf "$tmp/cwd"
		claim ;;
	*'"type":"board.rejected"'*"\"position\":\"executors/$name@"*'"reason":"no_shard"'*) claim ;;
	esac
done <"$tmp/said"
