#!/bin/sh
# One minute with a board. Agents in plain sh append real data: this
# repository's history, a `go test -json` stream, samples of the processes that
# run here. Lanes rotate meanwhile, one agent dies in the middle of a line, the
# daemon is killed twice. Then everything is counted against the sources.
#
#   scripts/demo.sh            # in a temporary folder that goes away
#   KEEP=1 scripts/demo.sh     # and stays, for a look around
#
# Exit: 0 all counts are right, 1 one is not.
set -u
LC_ALL=C
export LC_ALL
cd "$(dirname "$0")/.." || exit 1
repo=$(pwd)
tmp=$(mktemp -d)
board=$tmp/board
mkdir -p "$tmp/truth/good" "$tmp/truth/bad" "$tmp/truth/tried"
failed=0 daemon=

finish() {
	[ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null
	if [ -n "${KEEP:-}" ]; then echo "kept: $tmp"; else rm -rf "$tmp"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
# same WHAT FOUND WANTED
same() {
	if [ "$2" = "$3" ]; then
		printf '   ok    %-58s %s\n' "$1" "$2"
	else
		printf '   WRONG %-58s %s, the source has %s\n' "$1" "$2" "$3"
		failed=1
	fi
}
die() {
	echo "demo: $*" >&2
	exit 1
}

say "building"
stigmergy=${STIGMERGY:-$tmp/stigmergy}
[ -n "${STIGMERGY:-}" ] || go build -o "$stigmergy" . || die "go build failed"
s() { "$stigmergy" -C "$board" "$@"; }
(cd "$tmp" && "$stigmergy" init board) >"$tmp/init.log" 2>&1 || die "init: $(cat "$tmp/init.log")"
printf 'segment: {max_bytes: 64KiB}\nseal: {quiet: 0s}\n' >"$board/stigmergy.yaml"

up() {
	: >"$tmp/up.log"
	"$stigmergy" -C "$board" up --no-http >"$tmp/up.log" 2>&1 &
	daemon=$!
	i=0
	until grep -q '^Up in ' "$tmp/up.log"; do
		i=$((i + 1))
		[ $i -lt 200 ] && kill -0 "$daemon" 2>/dev/null || die "the daemon did not come up: $(cat "$tmp/up.log")"
		sleep 0.05
	done
}
crash() {
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
	echo "   killed the daemon with SIGKILL, after $(cat "$board"/.stigmergy/journal/*.jsonl 2>/dev/null | wc -l | tr -d ' ') journal entries"
	up
}

# An agent: what its source says, one line and one write at a time.
agent() { # agent LANE < lines
	mkdir -p "$board/$(dirname "$1")"
	tee "$tmp/truth/good/$(echo "$1" | tr / _).jsonl" | while IFS= read -r line; do
		printf '%s\n' "$line" >>"$board/$1.jsonl"
	done
}
quote() { tr -d '\000-\010\013-\037' | sed 's/\\/\\\\/g; s/"/\\"/g; s/	/\\t/g'; }

history() { # this repository's commits and what they changed
	git -C "$repo" log --format='C%H %at %s' --numstat | quote | while IFS= read -r row; do
		case $row in
		C*)
			row=${row#C} commit=${row%% *} rest=${row#* }
			printf '{"type":"git.commit","id":"%s","data":{"commit_sha":"%s","at":%s,"subject":"%s"}}\n' "$commit" "$commit" "${rest%% *}" "${rest#* }"
			;;
		[0-9]*)
			added=${row%%\\t*} rest=${row#*\\t}
			printf '{"type":"git.change","data":{"commit_sha":"%s","added":%s,"deleted":%s,"path":"%s"}}\n' "$commit" "$added" "${rest%%\\t*}" "${rest#*\\t}"
			;;
		esac
	done
}
tests() { # a test run, as it comes
	(cd "$repo" && go test -count=1 -json ./contracts/merkle) | grep '^{.*}$' | while IFS= read -r row; do
		printf '{"type":"gotest.event","data":%s}\n' "$row"
	done
}
samples() { # processes and their memory, again and again
	round=0
	while [ $round -lt 25 ]; do
		round=$((round + 1))
		for p in /proc/[0-9]*; do
			read -r pages resident rest <"$p/statm" || continue
			read -r name <"$p/comm" || continue
			name=$(printf %s "$name" | quote)
			printf '{"type":"proc.sample","subject":"%s","data":{"round":%d,"pid":%d,"comm":"%s","pages":%d,"resident":%d}}\n' "${p#/proc/}" $round "${p#/proc/}" "$name" "$pages" "$resident"
		done 2>/dev/null
	done
}
beats() { # where there is no /proc, and so that there always is a crowd
	n=0
	while [ $n -lt 400 ]; do
		n=$((n + 1))
		printf '{"type":"agent.beat","data":{"agent":"%s","n":%d}}\n' "$1" $n
	done
}

say "the daemon comes up, and seven agents begin to write"
up
pids=
history | agent agents/git &
pids="$pids $!"
tests | agent agents/tests &
pids="$pids $!"
samples | agent agents/processes &
pids="$pids $!"
for a in 1 2 3; do
	beats $a | agent "agents/beat-$a" &
	pids="$pids $!"
done
# The seventh writes ten lines and dies in the eleventh.
sh -c '
	for n in 1 2 3 4 5 6 7 8 9 10; do
		line="{\"type\":\"build.step\",\"data\":{\"n\":$n}}"
		printf "%s\n" "$line" >>"$1"
		printf "%s\n" "$line" >>"$2"
	done
	printf "%s" "{\"type\":\"build.step\",\"data\":{\"step\":\"link\",\"out" >>"$1"
	kill -9 $$
' sh "$board/builder.jsonl" "$tmp/truth/good/builder.jsonl" 2>/dev/null &
builder=$!
sleep 0.4
crash
wait $builder 2>/dev/null
echo "   an agent died in the middle of a line: $(tail -c 47 "$board/builder.jsonl")"
# Its successor follows docs/write-protocol.md: a newline first.
printf '\n' >>"$board/builder.jsonl"
printf '{"type":"build.step","data":{"step":"link","out\n' >>"$tmp/truth/bad/builder.jsonl"
printf '{"type":"build.done","data":{"ok":true}}\n' | tee -a "$tmp/truth/good/builder.jsonl" >>"$board/builder.jsonl"
sleep 0.4
crash
for p in $pids; do wait "$p"; done
say "all agents are done; the daemon drains and ends"
kill "$daemon"
wait "$daemon"
code=$?
[ $code -eq 143 ] || die "the daemon ended with $code, not as one that drained: $(cat "$tmp/up.log")"
daemon=
s up --once >"$tmp/once.log" 2>&1 || die "up --once: $(cat "$tmp/once.log")"

say "counts against the sources"
truth() { cat "$tmp/truth/good/$1" | grep -c "\"type\":\"$2\""; }
same "query git.commit --count (git rev-list --count)" "$(s query git.commit --count)" "$(git -C "$repo" rev-list --count HEAD)"
same "query git.change --count" "$(s query git.change --count)" "$(truth agents_git.jsonl git.change)"
same "query gotest.event --count" "$(s query gotest.event --count)" "$(truth agents_tests.jsonl gotest.event)"
same "query gotest.event -w Action=pass --count" "$(s query gotest.event -w Action=pass --count)" "$(grep -c '"Action":"pass"' "$tmp/truth/good/agents_tests.jsonl")"
same "query proc.sample --count" "$(s query proc.sample --count)" "$(truth agents_processes.jsonl proc.sample)"
same "query agent.beat --count" "$(s query agent.beat --count)" 1200
same "grep -c -F '\"round\":25,'" "$(s grep -c -F '"round":25,')" "$(grep -c '"round":25,' "$tmp/truth/good/agents_processes.jsonl")"
same "grep -c of this repository's last subject" "$(s grep -c -F "$(git -C "$repo" log -1 --format=%H)" git.commit)" 1
same "query build.step build.done --count" "$(s query build.step build.done --count)" 11
same "refused lines: the torn one" "$(s quarantine ls -o jsonl | wc -l | tr -d ' ')" 1
for f in agents_git agents_tests agents_processes; do
	lane=$(echo $f | sed 's/_/\//')
	same "query --lane $lane is its source, byte for byte" "$(s query --lane "$lane" | cmp - "$tmp/truth/good/$f.jsonl" >/dev/null && echo yes || echo no)" yes
done
say "history on disk"
s archive ls -o table
s archive check -o table >/dev/null && echo "   every archive is whole" || failed=1
s replay -o text || failed=1
if command -v zstd >/dev/null; then
	say "an oracle that shares no code with the product"
	go run ./scripts/oracle/cmd/oracle check --quiet --handlers board,audit,plan,exemplar,sign --truth "$tmp/truth" "$board" || failed=1
else
	echo "skip  the oracle: zstd is not installed"
fi
if [ $failed -eq 0 ]; then say "all counts are right"; else say "something is WRONG"; fi
exit $failed
