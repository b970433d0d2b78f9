#!/bin/sh
# An Autonomy that knows nothing but >> and tail -F (and jq, to read JSON): it
# answers every tuning signal with the action that the signal suggests.
#
#   echo 'autonomy: off' >> board/stigmergy.yaml   # the built-in one keeps out
#   scripts/agents/autonomy.sh BOARD [LANE]
set -u
board=$1 lane=$1/${2:-autonomy}.jsonl
tmp=$(mktemp -d)
trap 'kill "$tail"; rm -rf "$tmp"' EXIT
trap 'exit 143' INT TERM
mkfifo "$tmp/said"
tail -n +1 -F "$board/hxo.jsonl" >"$tmp/said" 2>/dev/null & tail=$!
while IFS= read -r line; do
	case $line in
	*'"type":"hxo.autotune.signal"'*)
		printf '%s\n' "$line" | jq -c '.data | {type: "genesis.heal", data: ({source: "autonomy", plan_id, stage_id, action: .suggested_action,
			parameters: (if .suggested_action == "split_shard" then {split_factor: 4} elif .suggested_action == "increase_concurrency" then {by: 1} else {} end)})}' >>"$lane"
		;;
	esac
done <"$tmp/said"
