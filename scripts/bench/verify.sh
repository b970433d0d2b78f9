#!/usr/bin/env bash
# What proofs cost: the root over a million leaves, a signature, verify on one
# core and on two, of plain lanes and of archives, and taking lines in with the
# signer and without it.
#
#   scripts/bench/verify.sh            a few minutes
#   SMOKE=1 scripts/bench/verify.sh    small counts, nothing is judged
#
# Environment: N lines (2,000,000), REPS (3), GEN (../shared/bench/gen), WORK.
# Bounds of the project: root 0.25 s, signature 1 ms, verify 0.85 M lines/s and
# 250 MB/s of one core's time, 1.6 x on two, catching up 0.95 x of without.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C
smoke=${SMOKE:-}
N=${N:-$([ -n "$smoke" ] && echo 50000 || echo 2000000)} REPS=${REPS:-$([ -n "$smoke" ] && echo 1 || echo 3)}
GEN=${GEN:-../shared/bench/gen}
tmp=$(mktemp -d ${WORK:+-p "$WORK"})
trap 'rm -rf "$tmp"' EXIT
go test ./contracts/seal -run '^$' -bench 'Sign|Root' -cpu 1,2 -benchtime "$([ -n "$smoke" ] && echo 1x || echo 1s)" | grep '^Benchmark'
[ -d "$GEN" ] || { echo "SKIP verify: no generator at $GEN"; exit 0; }
(cd "$GEN" && go build -o "$tmp/gen" .) && go build -o "$tmp/with" . || exit 2
grep -v 'historySigner(w),' cli/workers.go >"$tmp/workers.go"
echo "{\"Replace\":{\"$PWD/cli/workers.go\":\"$tmp/workers.go\"}}" >"$tmp/overlay"
go build -overlay "$tmp/overlay" -o "$tmp/without" . || exit 2
"$tmp/gen" -events "$N" -out "$tmp/corpus" -segment 4294967296 >/dev/null || exit 2
bytes=$(stat -c %s "$tmp/corpus/seg-00000.jsonl")
TIMEFORMAT='%R %U'
# fresh: a new board with the corpus on it
fresh() {
	rm -rf "$tmp/board"
	"$tmp/with" init "$tmp/board" >/dev/null && echo 'policy: {foreign_owned: record}' >"$tmp/board/stigmergy.yaml"
	mkdir "$tmp/board/bus" && cp "$tmp/corpus/seg-00000.jsonl" "$tmp/board/bus/a.jsonl"
	sync # or whoever signs pays for our own copy
}
for ((i = 0; i < REPS; i++)); do
	for b in without with; do
		fresh
		t=$({ time "$tmp/$b" up --once --set segment.max_bytes=64GiB -C "$tmp/board" >/dev/null 2>&1; } 2>&1)
		awk -v b=$b -v n="$N" -v t="$t" 'BEGIN{split(t,a," "); printf "catchup signer=%s lines=%d seconds=%.2f cpu=%.2f lines/s=%d\n", b, n, a[1], a[2], n/a[1]}'
	done
done
# measure WHAT: verify on one core and on two
measure() {
	for ((i = 0; i < REPS; i++)); do
		for p in 1 2; do
			t=$({ time GOMAXPROCS=$p "$tmp/with" verify -C "$tmp/board" >"$tmp/out"; } 2>&1) || cat "$tmp/out"
			awk -v what="$1" -v p=$p -v n="$N" -v bytes="$bytes" -v t="$t" 'BEGIN{split(t,a," "); printf "verify %s cores=%d seconds=%.2f cpu=%.2f lines/cpu-s=%d MB/cpu-s=%.0f\n", what, p, a[1], a[2], n/a[2], bytes/a[2]/1e6}'
		done
	done
}
measure plain
"$tmp/with" -C "$tmp/board" rotate bus/a >/dev/null 2>&1 && "$tmp/with" -C "$tmp/board" compact >/dev/null 2>&1
ls "$tmp/board/archive/bus/a" >/dev/null || exit 1
measure archived
