package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"stigmergy/contracts"
)

// quoted is a text as faults show it: clipped, in quotes, printable.
func quoted(s string) string { return strconv.Quote(clip(s)) }

// clip shortens what a fault quotes.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// pointer appends one reference token to a JSON pointer (RFC 6901).
func pointer(at, token string) string {
	if strings.ContainsAny(token, "~/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
	}
	return at + "/" + token
}

func index(at string, i int) string { return at + "/" + strconv.Itoa(i) }

// parseDuration is time.ParseDuration with days: 15s, 250ms, 1h30m, 2d.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// parseSize reads a size: 65536, 64KiB, 1MiB, 1GiB.
func parseSize(s string) (int64, error) {
	unit := int64(1)
	number := s
	for i, suffix := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			number, unit = strings.TrimSpace(rest), 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("reading the size %q", clip(s))
	}
	return n * unit, nil
}

// Nearest is the word that differs from s by at most a third of its bytes and
// never more than three, or "".
func Nearest(s string, words []string) string {
	best, least := "", min(max(len(s)/3, 1), 3)+1
	if len(s) > maxKind {
		return ""
	}
	for _, w := range words {
		if d := distance(strings.ToLower(s), strings.ToLower(w)); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is the number of bytes to change, add, leave out or swap with their
// neighbour that makes b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func didYouMean(s string, words []string) string {
	if w := Nearest(s, words); w != "" {
		return "did you mean " + w + "?"
	}
	return ""
}

func contains(words []string, w string) bool { return slices.Contains(words, w) }

// join lists words: a, b and c.
func join(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// maxExact is the largest whole number up to which JSON's doubles hold every one.
const maxExact = 1 << 53

// whole is a number without a fraction that doubles hold exactly, as 1000 and
// 1e3 are.
func whole(n *node) (int64, bool) {
	if n.kind != contracts.Number {
		return 0, false
	}
	if i, err := strconv.ParseInt(n.text, 10, 64); err == nil {
		return i, i >= -maxExact && i <= maxExact
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > maxExact {
		return 0, false
	}
	return int64(f), true
}
