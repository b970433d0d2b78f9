package query

import (
	"encoding/json"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
	"time"
)

// naiveCell is one aggregate of some events, as JSON.
func naiveCell(events []naiveEvent, spec string) string {
	if spec == "count" {
		return strconv.Itoa(len(events))
	}
	name, field, _ := strings.Cut(strings.TrimSuffix(spec, ")"), "(")
	var texts []string
	var numbers []float64
	sum, has := 0.0, 0
	for _, ev := range events {
		some := false
		for _, v := range ev.values(field) {
			switch v := v.(type) {
			case []any:
				continue
			case json.Number:
				f, err := strconv.ParseFloat(v.String(), 64)
				if err == nil || f != 0 {
					numbers = append(numbers, f)
					sum += f
				}
			}
			some = true
			raw, _ := json.Marshal(v)
			texts = append(texts, string(raw))
		}
		if some {
			has++
		}
	}
	switch name {
	case "count":
		return strconv.Itoa(has)
	case "last":
		if len(texts) == 0 {
			return "null"
		}
		return texts[len(texts)-1]
	case "sum":
		return string(appendFloat(nil, sum))
	case "min", "max":
		return naiveExtreme(texts, name == "max")
	case "avg":
		if len(numbers) == 0 {
			return "null"
		}
		return string(appendFloat(nil, sum/float64(len(numbers))))
	}
	if len(numbers) == 0 {
		return "null"
	}
	q, _ := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
	sort.Float64s(numbers)
	return string(appendFloat(nil, numbers[max(1, int(math.Ceil(q/100*float64(len(numbers)))))-1]))
}

// naiveExtreme is the smallest or largest of JSON scalars: numbers come before
// times, times before other text.
func naiveExtreme(texts []string, largest bool) string {
	class := func(s string) (int, *big.Rat, time.Time, string) {
		if s[0] == '"' {
			var v string
			_ = json.Unmarshal([]byte(s), &v)
			s = v
		}
		if n, ok := number(s); ok {
			return 0, n, time.Time{}, s
		}
		if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return 1, nil, at, s
		}
		return 2, nil, time.Time{}, s
	}
	best := "null"
	for _, s := range texts {
		if s == "null" || s[0] == '{' {
			continue
		}
		if best == "null" {
			best = s
			continue
		}
		c, n, at, v := class(s)
		d, m, bt, w := class(best)
		less := c - d
		switch {
		case less != 0:
		case c == 0:
			less = n.Cmp(m)
		case c == 1:
			less = at.Compare(bt)
		}
		if less == 0 {
			less = strings.Compare(v, w)
		}
		if less != 0 && (less > 0) == largest {
			best = s
		}
	}
	return best
}
