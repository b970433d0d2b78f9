#!/usr/bin/env bash
# How fast a history is asked, side by side with what a shell does on the same
# archives in the same run.
#
#   scripts/bench/query.sh              8 million events, about five minutes
#   SMOKE=1 scripts/bench/query.sh      200,000 events: does it run, is it right
#   BOARD=dir scripts/bench/query.sh    the board that an earlier run left there
#
# Environment: N events (8,000,000), REPS (5), GEN (the generator,
# ../shared/bench/gen), WORK (a folder on the disk under test, default:
# temporary), LOCK (a file held while timing, on shared machines), STIGMERGY (a
# binary, default: built here).
#
# Of each command's REPS runs, taken in turns, the fastest counts: what else the
# machine does only adds. Beside it stand the processor's seconds (user and
# system, children too), which say the same on a busy machine.
#
# It exits 1 when an answer is wrong, or slower than what the project promises:
# 30 times faster than rg -z -j2 and every whole-history pipeline for what the
# index answers, no slower than rg -z -j2 for a literal scan of everything, 128 MB.
# SMOKE judges no times.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C
smoke=${SMOKE:-}
N=${N:-$([ -n "$smoke" ] && echo 200000 || echo 8000000)} REPS=${REPS:-$([ -n "$smoke" ] && echo 1 || echo 5)}
GEN=${GEN:-../shared/bench/gen}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
work=${WORK:-$tmp}
board=${BOARD:-$work/board}
bad=0
die() { echo "query.sh: $*" >&2; exit 2; }
have() { command -v "$1" >/dev/null; }
have zstd || die "zstd is missing: the pipelines need it"
[ -z "${LOCK:-}" ] || exec 9>"$LOCK"

bin=${STIGMERGY:-$tmp/stigmergy}
[ -n "${STIGMERGY:-}" ] || go build -o "$bin" . || die "go build failed"

# The board: segments are appended to one lane as they come, and taken in.
if [ ! -f "$board/queries.env" ]; then
	[ -f "$GEN/main.go" ] || { echo "skip: no generator at $GEN (set GEN)"; exit 0; }
	echo "making a board of $N events"
	(cd "$GEN" && go run . -events "$N" -seed 1 -out "$tmp/corpus" -segment "$([ -n "$smoke" ] && echo 16777216 || echo 67108864)") >/dev/null || die "the generator failed"
	mkdir -p "$board" && "$bin" init "$board" >/dev/null || die "init failed"
	{
		echo 'policy: {foreign_owned: record}'
		[ -z "$smoke" ] || echo 'segment: {max_bytes: 16MiB}'
	} >"$board/stigmergy.yaml"
	for s in "$tmp"/corpus/seg-*.jsonl; do
		cat "$s" >>"$board/history.jsonl"
		"$bin" -C "$board" up --once --no-http >/dev/null 2>"$tmp/err" || { cat "$tmp/err"; die "up --once failed"; }
	done
	cp "$tmp/corpus/queries.env" "$board/queries.env"
	[ -d "$board/quarantine" ] && die "lines were refused: $(find "$board/quarantine" -name '*.jsonl')"
	rm -rf "$tmp/corpus"
fi
. "$board/queries.env"
zst=$board/archive/history live=$board/history.jsonl
[ -f "$live" ] || : >"$live"
sizes() { find "$@" -type f -print0 | xargs -0 cat | wc -c; }
echo "events $EVENTS, raw $BYTES bytes, archives $(sizes "$zst") bytes, live $(wc -c <"$live") bytes, journal $(sizes "$board/.stigmergy/journal") bytes"
cat "$zst"/*.zst "$live" >/dev/null # all in memory, for everybody

# What the archives weigh beside zstd -3 over the same segments, and their indexes.
raw3=0
for z in "$zst"/*.zst; do raw3=$((raw3 + $(zstd -dcq "$z" | zstd -3 -cq | wc -c))); done
"$bin" -C "$board" archive ls -o jsonl | sed 's/.*"archive_bytes":\([0-9]*\),"index_bytes":\([0-9]*\).*/\1 \2/' |
	awk -v z="$raw3" '{a+=$1; i+=$2} END{ok=(i<=0.03*a && a<=z); printf "%-4s  sizes: index %.2f %% of the archives (bound 3), archives with index %.1f %% of zstd -3 (bound 100)\n", ok?"ok":"MISS", 100*i/a, 100*a/z; exit !ok}' || bad=1

q="$bin -C $board -o jsonl"
rgz="rg --no-config -IN -j2 -z"
zc="{ zstd -dc $zst/*.zst; cat $live; }"
par() { echo "{ ls $zst/*.zst | xargs -P2 -I{} sh -c \"zstd -dc {} | $1\"; cat $live | $1; }"; }
S='"type":"hxo.shard.' F='"type":"hxo.shard.failed"' L='"type":"hxo.plan"' P='panic: index out of range ['
printf '%s' '{i=index($0,"\"type\":\"");s=substr($0,i+8,40);c[substr(s,1,index(s,"\"")-1)]++}END{for(k in c)print c[k],k}' >"$tmp/topic.awk"
sum='{c[$2]+=$1}END{for(k in c)print c[k],k}'
awk=awk; have mawk && awk=mawk

# run COMMAND: the seconds it took, those of the processors, and its RSS in KB;
# its output stays in $tmp/out
run() {
	local t0=$EPOCHREALTIME
	if [ -x /usr/bin/time ]; then
		/usr/bin/time -o "$tmp/time" -f '%U %S %M' bash -c "$1" >"$tmp/out" 2>"$tmp/err"
	else
		echo 0 0 0 >"$tmp/time"
		bash -c "$1" >"$tmp/out" 2>"$tmp/err"
	fi
	awk -v a="$t0" -v b="$EPOCHREALTIME" 'END{printf "%.4f %.2f %d\n", b-a, $1+$2, $3}' "$tmp/time"
}
# least N FILE: the smallest of its N-th numbers; most: the largest
least() { awk -v n="$1" 'NR==1||$n<m{m=$n} END{print m}' "$2"; }
most() { awk -v n="$1" '$n>m{m=$n} END{print m+0}' "$2"; }
# ask NAME EXPECTED BOUND OURS THEIRS…: every command prints lines, whose number is
# checked; the fastest of theirs is the one to beat BOUND times.
ask() {
	local name=$1 want=$2 bound=$3 i k got best='' cheap='' t c
	shift 3
	local cmds=("$@")
	for k in "${!cmds[@]}"; do : >"$tmp/t$k"; done
	[ -z "${LOCK:-}" ] || flock 9
	for ((i = 0; i < REPS; i++)); do
		for k in "${!cmds[@]}"; do
			run "${cmds[k]}" >>"$tmp/t$k"
			got=$(wc -l <"$tmp/out")
			[ "$got" = "$want" ] || { echo "WRONG $name: ${cmds[k]}: $got lines, expected $want"; head -3 "$tmp/err"; bad=1; }
		done
	done
	[ -z "${LOCK:-}" ] || flock -u 9
	for ((k = 1; k < ${#cmds[@]}; k++)); do
		t=$(least 1 "$tmp/t$k") c=$(least 2 "$tmp/t$k")
		printf '      %-8s %8s s  cpu %6s s  %s\n' "$name" "$t" "$c" "${cmds[k]:0:100}"
		best=$(awk -v a="${best:-1e9}" -v b="$t" 'BEGIN{print (b<a)?b:a}')
		cheap=$(awk -v a="${cheap:-1e9}" -v b="$c" 'BEGIN{print (b<a)?b:a}')
	done
	t=$(least 1 "$tmp/t0") c=$(least 2 "$tmp/t0")
	local verdict
	verdict=$(awk -v o="$t" -v b="$best" -v oc="$c" -v bc="$cheap" -v n="$bound" -v r="$(most 3 "$tmp/t0")" \
		'BEGIN{x=b/o; printf "%s  %.1f times (bound %s); by cpu %.1f times; %d KB", (x>=n && r<=131072)?"ok":"MISS", x, n, (oc > 0 ? bc/oc : 0), r}')
	printf '%-4s  %-8s %8s s  cpu %6s s  stigmergy: %s\n' "${verdict%% *}" "$name" "$t" "$c" "${verdict#* }"
	[ -n "$smoke" ] || [ "${verdict%% *}" = ok ] || bad=1
}

rgs() { have rg && echo "$1"; }

mapfile -t rga < <(rgs "$rgz -F $PLAN $zst $live | grep -F '$S'")
ask plan "$PLAN_EVENTS" 30 "$q query 'hxo.shard.**' -w plan_id=$PLAN" "${rga[@]}" "$zc | grep -F $PLAN | grep -F '$S'" "$(par "grep -F $PLAN") | grep -F '$S'"
mapfile -t rga < <(rgs "$rgz -F $CAS $zst $live")
ask cas 3 30 "$q query -w cas_id=$CAS" "${rga[@]}" "$zc | grep -F $CAS" "$(par "grep -F $CAS")"
mapfile -t rga < <(rgs "$rgz -cF '$F' $zst $live | awk '{s+=\$1} END{print s}'")
ask count 1 30 "$q query hxo.shard.failed --count" "${rga[@]}" "$zc | grep -cF '$F'" "$(par "grep -cF '${F//\"/\\\\\\\"}'") | awk '{s+=\$1} END{print s}'"
ask topics 14 30 "$q query 'hxo.**' 'genesis.**' --by type" "$zc | $awk -f $tmp/topic.awk" "$(par "$awk -f $tmp/topic.awk") | awk '$sum'"
mapfile -t rga < <(rgs "$rgz --sort path -F '$L' $zst $live | tail -n 10")
ask last 10 30 "$q query hxo.plan --last 10" "${rga[@]}" "$zc | grep -F '$L' | tail -n 10"
mapfile -t rga < <(rgs "$rgz -F '$P' $zst $live")
if [ "${#rga[@]}" -gt 0 ]; then ask grep "$RARE" 1 "$q grep -F '$P'" "${rga[@]}"; fi

# The counts are the same everywhere.
"$bin" -C "$board" query 'hxo.**' 'genesis.**' --by type -o jsonl | sed 's/.*"type":"\([^"]*\)","count":\([0-9]*\).*/\2 \1/' | sort >"$tmp/a"
bash -c "$zc" | $awk -f "$tmp/topic.awk" | sort >"$tmp/b"
cmp -s "$tmp/a" "$tmp/b" && echo "ok    counts by topic equal awk's" || { echo "WRONG counts by topic:"; diff "$tmp/a" "$tmp/b" | head; bad=1; }
exit $bad
