#!/usr/bin/env bash
# How fast a daemon takes lanes in, side by side with the plainest Go tailer,
# and what it costs when nothing happens.
#
#   scripts/bench/tail.sh                    everything, ten minutes
#   PARTS="catchup latency" scripts/bench/tail.sh
#   SMOKE=1 scripts/bench/tail.sh            small counts: does it run, is it right
#
# Environment: N lines (2,000,000), REPS (3), PARTS (catchup latency idle
# restart), WORK (a folder on the disk under test, default: temporary), PEERS
# (../shared/bench/tail-peers: built into a temporary folder, for ref-sync), GEN
# (the generator beside it), LOCK (a file held while timing, on shared machines).
#
# It exits 1 when a line is lost, refused or late beyond the bounds that the
# project names: half of ref-sync's throughput, 64 MB, 0.2 ms / 1.5 ms, 0.2 %,
# 100 ms, 32 MiB. SMOKE judges no times.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C
smoke=${SMOKE:-}
N=${N:-$([ -n "$smoke" ] && echo 50000 || echo 2000000)} REPS=${REPS:-$([ -n "$smoke" ] && echo 1 || echo 3)}
PARTS=${PARTS:-catchup latency idle restart}
PEERS=${PEERS:-../shared/bench/tail-peers} GEN=${GEN:-$(dirname "$PEERS")/gen}
tmp=$(mktemp -d)
work=${WORK:-$tmp/work}
trap 'rm -rf "$tmp" "$work/board" "$work/in" "$work/out" "$work/state"' EXIT
mkdir -p "$work"
bad=0
miss() { echo "MISS  $*"; bad=1; }
die() { echo "tail.sh: $*" >&2; exit 2; }
# word KEY LINE: the value of KEY=… in a line
word() { sed -n "s|.*\\b$1=\\([^ ]*\\).*|\\1|p" <<<"$2"; }
# judge WHAT VALUE OP BOUND: told always, wrong only in a full run
judge() {
	if awk -v a="$2" -v b="$4" "BEGIN{exit !(a $3 b)}"; then
		echo "ok    $1: $2 $3 $4"
	elif [ -n "$smoke" ]; then
		echo "note  $1: $2, the bound is $3 $4 (not judged in a smoke run)"
	else
		miss "$1: $2, the bound is $3 $4"
	fi
}
median() { sort -g | awk '{a[NR]=$1} END{print a[int((NR+1)/2)]}'; }
[ -z "${LOCK:-}" ] || exec 9>"$LOCK"
timed() {
	[ -z "${LOCK:-}" ] || flock 9
	"$@"
	local code=$?
	[ -z "${LOCK:-}" ] || flock -u 9
	return $code
}

bin=${STIGMERGY:-$tmp/stigmergy}
[ -n "${STIGMERGY:-}" ] || go build -o "$bin" . || die "go build failed"
go build -o "$tmp/tail" ./scripts/bench/tail || die "go build failed"
t() { timed "$tmp/tail" "$@"; }

events=$tmp/events.jsonl
if [ -f "$GEN/main.go" ]; then
	(cd "$GEN" && go run . -events "$N" -seed 1 -out "$tmp/gen" -segment 1000000000000) >/dev/null 2>&1 || die "the generator in $GEN failed"
	mv "$tmp"/gen/seg-00000.jsonl "$events"
else
	echo "note  $GEN is not here: lines of our own generator"
	"$tmp/tail" gen -n "$N" -out "$events" || exit 2
fi
lines=$(wc -l <"$events" | tr -d ' ')
peer=
if [ -f "$PEERS/main.go" ]; then
	(cd "$PEERS" && go build -o "$tmp/tailpeers" .) || die "building $PEERS failed"
	peer=$PEERS/peer.sh
else
	echo "skip  ref-sync: $PEERS is not here"
fi
echo "machine: $(nproc) cores, $(uname -sr); $lines lines, $(wc -c <"$events" | tr -d ' ') bytes"

catchup() {
	local r got ours=() theirs=()
	for ((r = 0; r < REPS; r++)); do
		got=$(t catchup -bin "$bin" -file "$events" -n "$lines" -work "$work" -settings 'segment: {max_bytes: 1TiB}') || { miss "catching up failed"; return; }
		echo "$got"
		ours+=("$(word lines_s "$got")")
		judge "peak RSS in MB" "$(word rss_MB "$got")" "<" 64
		[ -n "$peer" ] || continue
		got=$(BIN=$tmp timed "$tmp/tailpeers" throughput -script "$peer" -peer ref-sync -file "$events" -n "$lines" -work "$work" -verify=false -max 300) || { miss "ref-sync failed"; return; }
		echo "$got"
		theirs+=("$(word 'ev/s' "$got")")
	done
	got=$(t catchup -bin "$bin" -file "$events" -n "$lines" -work "$work") || { miss "catching up with rotation failed"; return; }
	echo "$got settings=default (rotated at 64 MiB, archived meanwhile)"
	[ -n "$peer" ] || return
	local a b
	a=$(printf '%s\n' "${ours[@]}" | median) b=$(printf '%s\n' "${theirs[@]}" | median)
	judge "throughput ÷ ref-sync ($a ÷ $b lines/s)" "$(awk -v a="$a" -v b="$b" 'BEGIN{printf "%.2f", a/b}')" ">=" 0.5
}
latency() {
	local got
	got=$(t latency -bin "$bin" -work "$work" -rate 1000 -secs "$([ -n "$smoke" ] && echo 1 || echo 20)") || { miss "latency failed"; return; }
	echo "$got"
	while read -r row; do
		judge "$(word what "$row") p50 in ms" "$(word p50_ms "$row")" "<=" 0.2
		judge "$(word what "$row") p99 in ms" "$(word p99_ms "$row")" "<=" 1.5
	done <<<"$got"
}
idle() {
	local got
	got=$(t idle -bin "$bin" -work "$work" -lanes 1000 -secs "$([ -n "$smoke" ] && echo 3 || echo 60)") || { miss "idle failed"; return; }
	echo "$got"
	judge "idle CPU in percent, 1,000 lanes" "$(word cpu_percent "$got")" "<" 0.2
}
restart() {
	local got
	got=$(t restart -bin "$bin" -work "$work" -file "$events" -lanes "$([ -n "$smoke" ] && echo 100 || echo 1000)" -bytes "$([ -n "$smoke" ] && echo 30000000 || echo 2147483648)" -runs "$([ -n "$smoke" ] && echo 2 || echo 5)") || { miss "restart failed"; return; }
	echo "$got"
	judge "restart after a clean end, in ms" "$(word clean_ms "$got")" "<" 100
	judge "restart after SIGKILL, in ms" "$(word killed_ms "$got")" "<" 100
	judge "refolded bytes" "$(word worst_bytes "$got")" "<=" 33554432
}
for part in $PARTS; do
	echo "== $part"
	$part
done
exit $bad
