#!/usr/bin/env bash
# Storm control at its default rate: while a huge plan's shards wait to be
# published no second of event times holds more than rate × 1.05 of them, the
# mean stays at rate × 0.95 at least, and a small plan that is submitted
# meanwhile has a shard running within two seconds.
#
#   scripts/bench/rate.sh                      100,000 shards: a hundred seconds
#   SHARDS=5000 scripts/bench/rate.sh
#   HXO_EVENT_MAX_RATE=200 SHARDS=2000 scripts/bench/rate.sh
#   SMOKE=1 scripts/bench/rate.sh              3,000 shards, and judges no mean
#
# Exit 1 on a miss. By hand, for the fullest second that a clock shows:
#
#   jq -r '.time[:19]' board/hxo.jsonl | uniq -c | sort -n | tail -1
set -eu -o pipefail
cd "$(dirname "$0")/../.."
shards=${SHARDS:-100000} rate=${HXO_EVENT_MAX_RATE:-1000}
[ -z "${SMOKE:-}" ] || shards=3000
export LC_ALL=C
tmp=$(mktemp -d)
up=
trap '[ -z "$up" ] || kill "$up" 2>/dev/null; wait; rm -rf "$tmp"' EXIT
bin=${STIGMERGY:-$tmp/stigmergy}
[ -n "${STIGMERGY:-}" ] || go build -o "$bin" .
cd "$tmp"
plan() { # NAME SHARDS
	printf 'plan_name: %s\nstages: [{stage_id: s, kind: exec, spec: {argv: [/bin/true, "%s{item}"]}, partition: {by: range, from: 0, to: %d}}]\n' "$1" "$1" "$2" >"$1.yaml"
}
plan huge "$shards"
plan small 3
"$bin" init board >/dev/null
# One file holds the whole lane: its times are read as they stand.
STIGMERGY_SEGMENT_MAX_BYTES=1GiB "$bin" -C board up --no-http >up.log 2>&1 &
up=$!
for _ in $(seq 200); do "$bin" -C board status -q && break; sleep 0.05; done
huge=$("$bin" -C board plan submit huge.yaml -o raw | cut -f1)
"$bin" -C board wait hxo.shard.created -w plan_id="$huge" --count $((shards / 4)) --cursor start --timeout 600s -o id >/dev/null
"$bin" -C board plan submit small.yaml --wait -o raw >small
small=$(cut -f1 small)
"$bin" -C board wait hxo.shard.created -w plan_id="$huge" --count "$shards" --cursor start --timeout 1200s -o id >/dev/null
"$bin" -C board plan abort "$huge" >/dev/null
"$bin" -C board down >/dev/null
up=
times() { sed -n 's/.*"time":"[^T]*T\([0-9]*\):\([0-9]*\):\([0-9.]*\)Z".*/\1 \2 \3/p' | awk '{ t = $1 * 3600 + $2 * 60 + $3; if (t < last - 43200) t += 86400; last = t; printf "%.6f\n", t }'; }
first() { "$bin" -C board query "$1" -w plan_id="$2" -n 1 -o jsonl; }
from=$(first hxo.shard.created "$huge" | times)
to=$("$bin" -C board query hxo.shard.created -w plan_id="$huge" --last 1 -o jsonl | times)
began=$({ first hxo.plan.submit "$small"; first hxo.shard.claimed "$small"; } | times | awk 'NR == 1 { a = $1 } END { printf "%.3f", $1 - a }')
times <board/hxo.jsonl | awk -v rate="$rate" -v from="$from" -v to="$to" -v began="$began" -v smoke="${SMOKE:-}" '
	{ t[NR] = $1; if ($1 >= from && $1 <= to) n++; while (t[i + 1] <= $1 - 1) i++; if (NR - i > most) most = NR - i }
	END {
		mean = n / (to - from)
		printf "%d events in %.1f s at a rate of %d: %.0f a second, %d in the fullest one; the small plan ran after %.2f s\n", n, to - from, rate, mean, most, began
		if (most > rate * 1.05) { print "a second held more than " rate * 1.05; bad = 1 }
		if (mean < rate * 0.95 && smoke == "") { print "the mean is below " rate * 0.95; bad = 1 }
		if (began > 2) { print "the small plan waited for more than 2 s"; bad = 1 }
		exit bad
	}'
