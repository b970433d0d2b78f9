package settings

// Closest returns the one of names that is most like s, or "" when none is
// near enough to be what was meant (at most a third of its letters differ).
func Closest(s string, names []string) string {
	best, bestDist := "", 1<<30
	for _, n := range names {
		if abs(len(n)-len(s)) > bestDist {
			continue
		}
		if d := distance(s, n); d < bestDist {
			best, bestDist = n, d
		}
	}
	if bestDist*3 > max(len(best), 3) {
		return ""
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// distance is Levenshtein's, in bytes, over at most the first 128 of each.
func distance(a, b string) int {
	a, b = a[:min(len(a), 128)], b[:min(len(b), 128)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
