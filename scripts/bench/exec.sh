#!/usr/bin/env bash
# What the built-in executor costs a shard beyond the process itself, beside
# xargs -P2 and GNU parallel -j2 (where it is installed) over the same commands,
# in turns in one run.
#
#   scripts/bench/exec.sh              2,000 shards, three rounds
#   SHARDS=500 ROUNDS=1 scripts/bench/exec.sh
#   SMOKE=1 scripts/bench/exec.sh      that it runs at all
#
# Prints milliseconds a shard. A shard is /bin/true with one argument; the plan
# is submitted, resolved, created, claimed, run and its outputs are synced
# within the time (HXO_EVENT_MAX_RATE=0, two jobs).
set -eu -o pipefail
cd "$(dirname "$0")/../.."
shards=${SHARDS:-2000} rounds=${ROUNDS:-3}
[ -z "${SMOKE:-}" ] || { shards=50 rounds=1; }
tmp=$(mktemp -d)
up=
trap '[ -z "$up" ] || kill "$up" 2>/dev/null; wait; rm -rf "$tmp"' EXIT
bin=${STIGMERGY:-$tmp/stigmergy}
[ -n "${STIGMERGY:-}" ] || go build -o "$bin" .
now() { date +%s%N; }
each() { awk -v n="$shards" -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", (b - a) / 1e6 / n }'; }
cd "$tmp"
"$bin" init board >/dev/null
HXO_EVENT_MAX_RATE=0 STIGMERGY_EXECUTOR_JOBS=2 "$bin" -C board up --no-http >up.log 2>&1 &
up=$!
for _ in $(seq 200); do "$bin" -C board status -q && break; sleep 0.05; done
printf '%-8s %12s %12s %12s %12s\n' round xargs parallel stigmergy 'beyond xargs'
for round in $(seq "$rounds"); do
	a=$(now); seq "$shards" | xargs -P2 -n1 /bin/true; b=$(now)
	x=$(each "$a" "$b")
	p=-
	if command -v parallel >/dev/null; then
		a=$(now); seq "$shards" | parallel -j2 /bin/true; b=$(now)
		p=$(each "$a" "$b")
	fi
	# A range of its own each round: nothing is answered from the store.
	from=$((round * 10000000))
	cat >plan.yaml <<-PLAN
		plan_name: overhead
		stages:
		  - {stage_id: t, kind: exec, spec: {argv: [/bin/true, "{item}"]}, partition: {by: range, from: $from, to: $((from + shards)), step: 1}}
	PLAN
	a=$(now); id=$("$bin" -C board plan submit plan.yaml -o raw | cut -f1)
	timeout 600 "$bin" -C board plan watch "$id" -o raw >watched || true; b=$(now)
	"$bin" -C board plan status "$id" -o json >status.json
	grep -q "\"done\": $shards," status.json || { echo "not all of it is done:"; cat status.json; exit 1; }
	s=$(each "$a" "$b")
	printf '%-8s %12s %12s %12s %12s\n' "$round" "$x" "$p" "$s" "$(awk -v a="$s" -v b="$x" 'BEGIN { printf "%.3f", a - b }')"
done
"$bin" -C board down >/dev/null
up=
