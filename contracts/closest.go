package contracts

// Closest is the name of the known topic nearest to name, for a hint; "" when
// none is near: at most a third of its bytes, and never more than five, may have
// to be changed, added or left out.
func (r *Registry) Closest(name string) string {
	best, least := "", min(len(name)/3, 5)+1
	if len(name) > MaxTopic {
		return ""
	}
	for _, t := range r.Topics() {
		if d := distance(name, t.Name, least); d < least {
			best, least = t.Name, d
		}
	}
	return best
}

// distance is the number of bytes to change, add, leave out or swap with their
// neighbour that makes b of a; anything from limit on counts as limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least >= limit {
			return limit
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
