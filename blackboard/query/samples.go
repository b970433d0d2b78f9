package query

import (
	"math"
	"slices"
	"sort"
)

// samples keeps numbers for quantiles: exactly, until told that there are too
// many; from then on in buckets, each 1 % wide.
type samples struct {
	exact   []float64
	buckets map[int32]int64 // nil while exact
	n       int64
}

// bucketBase is the ratio of a bucket's bounds.
const bucketBase = 1.01

var bucketLog = math.Log(bucketBase)

// add takes a number in and returns by how many values it grew.
func (s *samples) add(v float64) int {
	s.n++
	if s.buckets == nil {
		s.exact = append(s.exact, v)
		return 1
	}
	before := len(s.buckets)
	s.buckets[bucketOf(v)]++
	return len(s.buckets) - before
}

// coarsen gives up exactness for bounded memory and returns how many values are
// kept now.
func (s *samples) coarsen() int {
	if s.buckets == nil {
		s.buckets = map[int32]int64{}
		for _, v := range s.exact {
			s.buckets[bucketOf(v)]++
		}
		s.exact = nil
	}
	return len(s.buckets)
}

// merge adds what another has; where one of them is in buckets, both are.
func (s *samples) merge(o *samples) {
	s.n += o.n
	if s.buckets == nil && o.buckets == nil {
		s.exact = append(s.exact, o.exact...)
		return
	}
	s.coarsen()
	o.coarsen()
	for k, n := range o.buckets {
		s.buckets[k] += n
	}
}

// bucketOf maps numbers to whole numbers in the same order; zero is 0, negative
// ones mirror.
func bucketOf(v float64) int32 {
	const lift = 80_000 // above the logarithm of the smallest float64
	switch {
	case v == 0 || v != v:
		return 0
	case v < 0:
		return -bucketOf(-v)
	case math.IsInf(v, 1):
		return math.MaxInt32
	}
	return int32(math.Ceil(math.Log(v)/bucketLog)) + lift
}

// bucketValue is the middle of a bucket.
func bucketValue(k int32) float64 {
	const lift = 80_000
	switch {
	case k == 0:
		return 0
	case k < 0:
		return -bucketValue(-k)
	case k == math.MaxInt32:
		return math.Inf(1)
	}
	return math.Exp((float64(k-lift) - 0.5) * bucketLog)
}

// quantile is the nearest-rank quantile: the smallest value that at least q of
// all values do not exceed.
func (s *samples) quantile(q float64) (float64, bool) {
	if s.n == 0 {
		return 0, false
	}
	rank := max(1, int64(math.Ceil(q*float64(s.n))))
	if s.buckets == nil {
		sort.Float64s(s.exact)
		return s.exact[rank-1], true
	}
	keys := make([]int32, 0, len(s.buckets))
	for k := range s.buckets {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if rank -= s.buckets[k]; rank <= 0 {
			return bucketValue(k), true
		}
	}
	return 0, false
}

// total adds numbers: whole ones exactly while they fit, others with Neumaier's
// correction.
type total struct {
	whole int64
	sum   float64
	carry float64
	float bool
	n     int64
}

func (t *total) addInt(v int64) {
	t.n++
	if s := t.whole + v; (s > t.whole) == (v > 0) && !t.float {
		t.whole = s
		return
	}
	t.n--
	t.addFloat(float64(v))
}

func (t *total) addFloat(v float64) {
	if !t.float {
		t.float, t.sum = true, float64(t.whole)
	}
	t.n++
	s := t.sum + v
	if math.Abs(t.sum) >= math.Abs(v) {
		t.carry += t.sum - s + v
	} else {
		t.carry += v - s + t.sum
	}
	t.sum = s
}

func (t *total) merge(o *total) {
	n := t.n + o.n
	if o.float {
		t.addFloat(o.sum)
		t.addFloat(o.carry)
	} else {
		t.addInt(o.whole)
	}
	t.n = n
}

func (t *total) value() float64 {
	if t.float {
		return t.sum + t.carry
	}
	return float64(t.whole)
}
