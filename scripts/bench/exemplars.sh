#!/usr/bin/env bash
# How fast remembered runs are found and added up.
#
#   scripts/bench/exemplars.sh            100,000 exemplars, some minutes
#   SMOKE=1 scripts/bench/exemplars.sh    2,000: does it run; no times are judged
#
# It exits 1 when the median of eleven is above what the project promises: 20 ms
# for a search by selective words, 100 ms for any rollup. Below that the same
# through the whole program, its start included.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C
smoke=${SMOKE:-} N=${N:-$([ -n "${SMOKE:-}" ] && echo 2000 || echo 100000)}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
die() { echo "exemplars.sh: $*" >&2; exit 2; }

bin=${STIGMERGY:-$tmp/stigmergy}
[ -n "${STIGMERGY:-}" ] || go build -o "$bin" . || die "go build failed"
(cd "$tmp" && "$bin" init >/dev/null && "$bin" up --once --no-http 2>/dev/null) || die "making a board failed"
judged=(-many "$N")
[ -z "$smoke" ] || judged=(-many 0)
bad=0
go test ./exemplars -count=1 -timeout 60m -run '^TestMany$' "${judged[@]}" -at "$tmp/board/.stigmergy/exemplars.db" -board "$(cat "$tmp/board/.stigmergy/board_id")" -v |
	tee "$tmp/log" | sed -n 's/^ *many_test.go:[0-9]*: //p'
grep -q '^ok' "$tmp/log" || { grep -v '^=== ' "$tmp/log" | tail -20; bad=1; }

# median CMD…: milliseconds of the whole program, the median of eleven.
median() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11; do
		at=$(date +%s%N)
		"$@" >/dev/null || return 1
		echo $((($(date +%s%N) - at) / 1000))
	done | sort -n | sed -n 6p
}
for cmd in "version" "ssot search --query unheard-of" "ssot search --query gitops_run --limit 1" "exemplar rollup gate-failures" "exemplar rollup mtbc" \
	"exemplar ls --scope gitops_run* --outcome ok --pushed --last 1"; do
	# shellcheck disable=SC2086
	us=$(set -f; median "$bin" -C "$tmp/board" $cmd) || { [ -n "$smoke" ] || bad=1; us=0; }
	printf 'stigmergy %-60s %8d.%03d ms\n' "$cmd" $((us / 1000)) $((us % 1000))
done
exit $bad
