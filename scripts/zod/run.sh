#!/usr/bin/env bash
# Every exemplar packet of the fixtures, and those that a board makes of them,
# through Zod. Needs npm and its registry; without them it skips and says so.
set -eu -o pipefail
cd "$(dirname "$0")"
export LC_ALL=C
root=$PWD/../..
for tool in npm node; do
	command -v $tool >/dev/null || { echo "SKIP zod: no $tool here"; exit 0; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp package.json package-lock.json check.mjs "$tmp"
(cd "$tmp" && npm ci --no-audit --no-fund >npm.log 2>&1) || { echo "SKIP zod: npm ci failed: $(grep -m1 'npm error' "$tmp/npm.log")"; exit 0; }

shopt -s nullglob
files=("$root"/fixtures/contracts/hfo.exemplar/*/*.json "$root"/fixtures/exemplars/*.json "$root"/fixtures/gitops/*/exemplar.json "$root"/fixtures/bundles/*/exemplar.json)
(cd "$tmp" && node check.mjs "${files[@]}")

bin=${STIGMERGY:-$tmp/stigmergy}
[ -n "${STIGMERGY:-}" ] || (cd "$root" && go build -o "$bin" .)
cd "$tmp"
"$bin" init >/dev/null
for f in "$root"/fixtures/contracts/hfo.exemplar/valid/*.json; do
	node -e 'const {data} = JSON.parse(require("fs").readFileSync(0)); delete data.exemplar_id; delete data.source_hashes; console.log(JSON.stringify(data))' <"$f" >packet.json
	"$bin" exemplar ingest packet.json >/dev/null
done
"$bin" exemplar ls -o jsonl >rows.jsonl
node check.mjs rows.jsonl
