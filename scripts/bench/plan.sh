#!/usr/bin/env bash
# Real work: three stages (hash, compress, index) over the sources of Go's
# standard library, beside a plain shell loop that does the same. Then the same
# plan again, answered from the store, and once more after one file changed.
#
#   scripts/bench/plan.sh              2,000 files
#   FILES=300 scripts/bench/plan.sh
#   SMOKE=1 scripts/bench/plan.sh      that it holds at all
#
# Times are those of `plan submit --wait`, which ends with the certificate; beside
# it stands when the last shard was done, which is what "answered" means here.
#
# It fails if an output differs from the loop's, if the second run is answered in
# 5 % of the first or more (not with SMOKE), or if the changed file runs any
# other shards than its own.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
files=${FILES:-2000}
[ -z "${SMOKE:-}" ] || files=60
export LC_ALL=C
tmp=$(mktemp -d)
up=
trap '[ -z "$up" ] || kill "$up" 2>/dev/null; wait; rm -rf "$tmp"' EXIT
bin=${STIGMERGY:-$tmp/stigmergy}
[ -n "${STIGMERGY:-}" ] || go build -o "$bin" .
goroot=$(go env GOROOT)
cd "$tmp"
mkdir src
n=0
find "$goroot/src" -name '*.go' -type f -not -path '*/.*' | sort >all
while read -r f && [ "$n" -lt "$files" ]; do
	rel=${f#"$goroot"/src/}
	mkdir -p "src/$(dirname "$rel")"
	cp "$f" "src/$rel"
	n=$((n + 1))
done <all
[ "$n" -ge "$files" ] || { echo "only $n sources in $goroot/src"; exit 1; }
cat >plan.yaml <<'PLAN'
plan_name: sources
stages:
  - {stage_id: hash, kind: exec, spec: {argv: [sha256sum], stdin: true}, partition: {by: files, glob: "src/**/*.go"}}
  - {stage_id: compress, kind: exec, spec: {argv: [gzip, -9nc], stdin: true}, partition: {by: files, glob: "src/**/*.go"}}
  - {stage_id: index, kind: exec, spec: {argv: [sort], stdin: true}, partition: {by: outputs, of: hash, per_shard: 1000000}}
PLAN
"$bin" init board >/dev/null
HXO_EVENT_MAX_RATE=0 "$bin" -C board up --no-http >up.log 2>&1 &
up=$!
for _ in $(seq 200); do "$bin" -C board status -q && break; sleep 0.05; done
seconds() { awk -v a="$1" -v b="$(date +%s%N)" 'BEGIN { printf "%.2f", (b - a) / 1e9 }'; }
outputs() { "$bin" -C board plan outputs -o jsonl | sed 's/.*"stage_id":"\([^"]*\)".*"output_digest":"\([^"]*\)".*/\1 \2/' | sort -u; }
ran() { "$bin" -C board query hxo.shard.done -w plan_id="$1" -w executor=builtin --count || true; }
submit() { "$bin" -C board plan submit plan.yaml --wait -o raw | cut -f1; }
# The loop: what is done by hand without a board, file by file.
loop() {
	rm -rf loop && mkdir -p loop/hash loop/compress
	local i=0
	find src -name '*.go' | while read -r f; do
		i=$((i + 1))
		sha256sum <"$f" >"loop/hash/$i"
		gzip -9nc <"$f" >"loop/compress/$i"
	done
	{ (cd loop/hash && find . -type f -exec sha256sum {} +) | sed 's/ .*//; s/^/hash /'
	  (cd loop/compress && find . -type f -exec sha256sum {} +) | sed 's/ .*//; s/^/compress /'
	  cat loop/hash/* | sort | sha256sum | sed 's/ .*//; s/^/index /'; } | sort -u
}
# answered PLAN: seconds from its submission until its last shard was done.
answered() {
	local from to
	from=$("$bin" -C board query hxo.plan.submit -w plan_id="$1" --jq .time -o text)
	to=$("$bin" -C board query hxo.shard.done -w plan_id="$1" --last 1 --jq .time -o text)
	awk -v a="$(date -d "$from" +%s%N)" -v b="$(date -d "$to" +%s%N)" 'BEGIN { printf "%.2f", (b - a) / 1e9 }'
}
t=$(date +%s%N); loop >want; plain=$(seconds "$t")
t=$(date +%s%N); id=$(submit); first=$(seconds "$t")
did=$(answered "$id")
outputs >got
cmp want got || { echo "the outputs are not those of the loop"; diff want got | head; "$bin" -C board plan status -o text | head -4; exit 1; }
shards=$(ran "$id")
t=$(date +%s%N); id=$(submit); again=$(seconds "$t")
redid=$(answered "$id")
outputs | cmp want - || { echo "the outputs of the second run are not those of the loop"; exit 1; }
twice=$(ran "$id")
echo "// changed" >>"src/$(cd src && find . -name '*.go' | sort | head -1)"
t=$(date +%s%N); id=$(submit); changed=$(seconds "$t")
loop >want
outputs | cmp want - || { echo "the outputs after a change are not those of the loop"; exit 1; }
once=$(ran "$id")
printf '%-34s %8s s  %s\n' "shell loop, one after the other" "$plain" "$((2 * files + 1)) commands" \
	"plan, first run" "$first" "$shards shards ran, all done after $did s" "plan, from the store" "$again" "$twice shards ran, all done after $redid s" "plan, one file changed" "$changed" "$once shards ran"
[ "$twice" = 0 ] || { echo "the second run ran $twice shards"; exit 1; }
[ "$once" = 3 ] || { echo "one changed file ran $once shards, not its own three"; exit 1; }
if [ -z "${SMOKE:-}" ]; then
	awk -v a="$redid" -v f="$did" -v c="$again" -v g="$first" 'BEGIN {
		printf "answered from the store in %.1f %% of the first run; with the certificate %.1f %%\n", 100 * a / f, 100 * c / g; exit a >= f / 20 }'
fi
"$bin" -C board doctor order >/dev/null
"$bin" -C board down >/dev/null
up=
