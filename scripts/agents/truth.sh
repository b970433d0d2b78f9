#!/bin/sh
# An outside Truth in sh. truth.sh [--once] BOARD [LANE]
#
#   echo 'truth: outside' >> board/stigmergy.yaml
#   scripts/agents/truth.sh board truth        # answers as plans ask, until it is stopped
#   scripts/agents/truth.sh --once board       # answers what waits, and ends
#
# It hears of hxo.aggregate.certify by following lane hxo (callback), or by
# looking at it (--once: polling), and says truth.verdict on its own lane. What
# it checks needs nothing of ours, only sha256sum, xxd and jq:
#
#   the samples are those that the root draws, so nobody chose them
#   each leaf's hash leads along its path to the root, and the path has the one
#   shape that its index has in a tree of that size
#   what stands in the store for each sampled shard has the SHA-256 of its leaf
set -eu
LC_ALL=C
export LC_ALL
once=
if [ "${1-}" = --once ]; then
	once=1
	shift
fi
[ $# -ge 1 ] && [ -d "$1/.stigmergy" ] || {
	sed -n '2,17s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
board=$1 lane=${2:-truth}
said=$board/$lane.jsonl
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 143' TERM INT HUP

# sum FILE…: the SHA-256 of what stands in them, or on standard input.
sum() {
	out=$(cat "$@" | sha256sum)
	echo "${out%% *}"
}
node() { { printf '\001'; printf '%s%s' "$1" "$2" | xxd -r -p; } | sum; }

# drawn ROOT SIZE: the indices that the root draws, one a line. The first eight
# bytes of a hash are taken in two halves, for the shell's numbers are signed.
drawn() {
	want=$2 i=0 got=' '
	[ "$want" -le 16 ] || want=16
	while [ "$want" -gt 0 ]; do
		h=$({ printf 'stigmergy.sample.v1\n'; printf '%s%08x' "$1" "$i" | xxd -r -p; } | sum)
		low=${h#????????}
		r=$(((0x${h%"$low"} % $2 * (4294967296 % $2) + 0x${low%"${low#????????}"}) % $2))
		case $got in
		*" $r "*) ;;
		*)
			got="$got$r " want=$((want - 1))
			echo "$r"
			;;
		esac
		i=$((i + 1))
	done
}

# shape INDEX SIZE: the sides of a leaf's path, from the leaf up.
shape() {
	i=$1 last=$(($2 - 1))
	while [ "$last" -gt 0 ]; do
		if [ $((i % 2)) -eq 1 ]; then
			echo left
		elif [ "$i" -lt "$last" ]; then
			echo right
		fi
		i=$((i / 2)) last=$((last / 2))
	done
}

# sample ROOT K: checks proof K of the event; says what is wrong with it.
sample() {
	jq -j ".data.sample_proofs[$2].leaf" "$tmp/event" >"$tmp/leaf"
	jq -r ".data.sample_proofs[$2] | .index, .tree_size, .leaf_cas_id, .leaf_hash, (.path[] | .side, .hash)" "$tmp/event" >"$tmp/proof"
	{
		read -r _ && read -r _ && read -r _ && read -r name && read -r _ && read -r output
	} <"$tmp/leaf"
	{
		read -r index && read -r size && read -r cas && read -r said_hash
		hash=$({ printf '\000'; cat "$tmp/leaf"; } | sum)
		[ "$said_hash $cas" = "$hash $name" ] || {
			echo "leaf $index is not what its hash says"
			return
		}
		for side in $(shape "$index" "$size") end; do
			read -r found || found=end
			[ "$side" = "$found" ] || {
				echo "the path of leaf $index has another shape than a tree of $size leaves gives it"
				return
			}
			[ "$side" = end ] || read -r other
			case $side in
			left) hash=$(node "$other" "$hash") ;;
			right) hash=$(node "$hash" "$other") ;;
			esac
		done
	} <"$tmp/proof"
	[ "$hash" = "$1" ] || {
		echo "the path of leaf $index leads to $hash"
		return
	}
	rest=${output#??}
	object=$board/.stigmergy/cas/${output%"$rest"}/$rest
	[ -f "$object" ] && [ "$(sum "$object")" = "$output" ] || {
		printf '%s\n' "$cas" >>"$tmp/bad"
		echo "the output of shard $cas is not the one that was reported"
	}
}

# judge: one event hxo.aggregate.certify, in $tmp/event.
judge() {
	plan=$(jq -r .data.plan_id "$tmp/event") root=$(jq -r .data.merkle_root "$tmp/event") attempt=$(jq -r '.data.attempt // 1' "$tmp/event")
	if [ -f "$said" ] && grep -qF "\"plan_id\":\"$plan\",\"merkle_root\":\"$root\",\"attempt\":$attempt," "$said"; then
		return # it has our word already
	fi
	: >"$tmp/bad"
	n=$(jq '.data.sample_proofs | length' "$tmp/event")
	size=$(jq '.data.sample_proofs[0].tree_size // 0' "$tmp/event")
	why=
	if [ "$(jq -r '.data.sample_proofs[].index' "$tmp/event")" != "$(drawn "$root" "$size")" ]; then
		why='the samples are not those that the root draws'
	fi
	k=0
	while [ "$k" -lt "$n" ]; do
		wrong=$(sample "$root" "$k")
		why=${why:-$wrong}
		k=$((k + 1))
	done
	jq -cn --arg p "$plan" --arg r "$root" --argjson a "$attempt" --arg why "$why" --rawfile bad "$tmp/bad" \
		'{type: "truth.verdict", data: ({plan_id: $p, merkle_root: $r, attempt: $a, certified: ($why == "")}
		+ if $why == "" then {} else {reason: $why, bad: ($bad | split("\n") | map(select(. != "")))} end)}' >>"$said"
}

# each reads lines and answers those that ask.
each() {
	while IFS= read -r line; do
		case $line in
		*'"type":"hxo.aggregate.certify"'*)
			printf '%s\n' "$line" >"$tmp/event"
			judge
			;;
		esac
	done
}

if [ -n "$once" ]; then
	each <"$board/hxo.jsonl"
	exit
fi
mkfifo "$tmp/lines"
tail -n +1 -F "$board/hxo.jsonl" >"$tmp/lines" 2>/dev/null &
follower=$!
trap 'kill "$follower" 2>/dev/null; rm -rf "$tmp"' EXIT
each <"$tmp/lines"
