#!/bin/sh
# What certificates cost. certify.sh [SHARDS]
#
#   1,000 sample proofs as JSON, from the leaves on           (aim: 60 ms)
#   bisection of one bad leaf of 1,000                        (aim: 45 comparisons)
#   a plan of SHARDS (100,000) shards: tree and samples in the fold, Truth's
#   whole recomputation with every output hashed again, and verify --plan
#
# The shards' work is left out: the outputs are put into the store as they are
# claimed. Times are the events' own.
set -eu
cd "$(dirname "$0")/../.."
shards=${1:-100000}
time=2s
[ -z "${SMOKE-}" ] || shards=2000 time=1x
go test ./contracts/certify -run 'TestOneLeafOfAThousand' -bench SampleProofs -benchtime "$time" -v 2>&1 |
	awk '/comparisons$/ { $1 = ""; print "bisection of one leaf of 1,000:" $0 } /ns\/op/ { printf "1,000 sample proofs: %.1f ms\n", $3 / 1e6 }'
go test ./plans/truth -run TestBigPlan -big "$shards" -timeout 60m -v 2>&1 | sed -n 's/^ *big_test.go:[0-9]*: //p; /^FAIL/p; /^--- FAIL/p'
