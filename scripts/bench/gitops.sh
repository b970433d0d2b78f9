#!/usr/bin/env bash
# What a batch of 1,000 paths costs beside the bare git commands: one and the
# same change to a repository of 10,000 files, committed in turns by
# `git add -u -- PATHS; git commit` and by `stigmergy gitops run`.
#
#   scripts/bench/gitops.sh            10,000 files, 1,000 changed, 7 rounds
#   FILES=2000 CHANGED=200 ROUNDS=3 …  smaller
#
# The batch's cost is a run's beyond that of a run with nothing to commit: its
# start, bundle, signature, events and the packet's ingestion are a run's, once,
# and git has no counterpart of them. Ratio of the medians: at most 1.5. The
# whole run's ratio is printed beside it.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
files=${FILES:-10000} changed=${CHANGED:-1000} rounds=${ROUNDS:-7}
bin=${STIGMERGY:-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if [ -z "$bin" ]; then
	go build -o "$tmp/stigmergy" . && bin=$tmp/stigmergy
fi
export HOME=$tmp GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
git config --global user.name bench && git config --global user.email bench@example.org
git config --global gc.auto 0
repo=$tmp/repo
git init -q -b main "$repo" && cd "$repo"
per=$((files / 100))
for d in $(seq 100); do
	mkdir -p "d$d"
	for f in $(seq "$per"); do printf 'file %s of %s\nsome text\nand more\n' "$f" "$d" >"d$d/f$f"; done
done
dirs=$((changed / per))
paths=$(for d in $(seq "$dirs"); do printf '"d%s",' "$d"; done)
mkdir .gitops
echo "{\"version\":1,\"scope\":\"bench\",\"batches\":[{\"batch_id\":\"bench\",\"message\":\"bench\",\"paths\":[${paths%,}]}]}" >.gitops/batches.json
git add -A && git commit -qm start
"$bin" init >/dev/null 2>&1
touch_all() { for d in $(seq "$dirs"); do for f in $(seq "$per"); do echo "round $1" >>"d$d/f$f"; done; done; sync; }
now() { date +%s%N; }
median() { sort -n | awk '{a[NR]=$1} END {print a[int((NR+1)/2)]}'; }
args=$(seq -f 'd%g' "$dirs")
for r in $(seq "$rounds"); do
	touch_all "$r git"
	at=$(now)
	# shellcheck disable=SC2086
	git add -u -- $args && git commit -q -m bench
	echo $((($(now) - at) / 1000)) >>"$tmp/git"
	touch_all "$r gitops"
	at=$(now)
	"$bin" gitops run -o csv >"$tmp/out" 2>"$tmp/err"
	echo $((($(now) - at) / 1000)) >>"$tmp/gitops"
	grep -q "committed,.*,$changed,$changed" "$tmp/out" || { cat "$tmp/out" "$tmp/err"; exit 1; }
	touch_all "$r none"
	git checkout -q -- . 2>/dev/null
	at=$(now)
	"$bin" gitops run -o csv >/dev/null 2>&1 # nothing to commit: what every run costs
	echo $((($(now) - at) / 1000)) >>"$tmp/empty"
done
g=$(median <"$tmp/git") s=$(median <"$tmp/gitops") e=$(median <"$tmp/empty")
ratio() { awk "BEGIN {printf \"%.2f\", $1 / $2}"; }
echo "$changed of $files paths, median of $rounds: git add -u + commit $((g / 1000)) ms; gitops run $((s / 1000)) ms, with nothing to commit $((e / 1000)) ms"
echo "the batch: $(ratio $((s - e)) "$g") times the bare commands (at most 1.5); the whole run: $(ratio "$s" "$g")"
awk "BEGIN {exit !($s - $e <= 1.5 * $g)}" || { echo "more than 1.5"; exit 1; }
