package order_test

import (
	"fmt"
	"strings"
	"testing"

	"stigmergy/contracts/order"
)

const id = "0f8fad5b-d9cb-469f-a165-70867728950e"

// say is one event in short: "created a 1", "done a 2", "part b a", "plan 2".
func say(c *order.Checker, n int, text string) {
	w := strings.Fields(text)
	shard := func(name, attempt, more string) []byte {
		return []byte(fmt.Sprintf(`{"plan_id":%q,"stage_id":"s","cas_id":%q,"attempt":%s%s}`, id, name, attempt, more))
	}
	pos := fmt.Sprintf("hxo@1:%d", n)
	about := func(more string) []byte { return []byte(fmt.Sprintf(`{"plan_id":%q%s}`, id, more)) }
	switch w[0] {
	case "plan":
		c.Add(pos, "hxo.plan", about(`,"shards":`+w[1]))
	case "part":
		c.Add(pos, "hxo.shard.created", shard(w[1], "1", fmt.Sprintf(`,"parent_cas_id":%q`, w[2])))
	case "signal":
		c.Add(pos, "hxo.autotune.signal", about(""))
	case "abort", "replay", "heal":
		c.Add(pos, "hxo.audit", []byte(fmt.Sprintf(`{"operation":"plan.%s","details":{"plan_id":%q}}`, w[0], id)))
	case "ready":
		c.Add(pos, "hxo.aggregate.ready", about(fmt.Sprintf(`,"merkle_root":"r","total_shards":%s`, w[1])))
	case "certify":
		c.Add(pos, "hxo.aggregate.certify", about(`,"merkle_root":"`+w[1]+`"`))
	case "finalized", "rejected":
		c.Add(pos, map[string]string{"finalized": "hxo.aggregate.finalized", "rejected": "hxo.aggregate.failed"}[w[0]], about(""))
	default:
		c.Add(pos, "hxo.shard."+w[0], shard(w[1], w[2], ""))
	}
}

// TestOrder: good histories pass, and every way of breaking a guarantee is
// found, by the guarantee that it breaks.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		events string
		want   string // guarantees that findings are about
	}{
		{"plan 1; created a 1; claimed a 1; done a 1; ready 1; certify r; finalized", ""},
		{"plan 0; ready 0; certify r; finalized", ""},
		{"plan 1; created a 1; claimed a 1; failed a 1; created a 2; claimed a 2; done a 2; replay; created a 3; claimed a 3; done a 3", ""},
		{"plan 1; created a 1; signal; part b a; part c a; claimed b 1; claimed c 1; done c 1; done b 1; ready 2; certify r; rejected; replay; created b 2; claimed b 2; done b 2; ready 2; certify r; finalized", ""},
		{"plan 1; created a 1; claimed a 1; heal; part b a; failed a 1", ""},
		{"plan 1; created a 1; claimed a 1; abort; failed a 1; replay; created a 2; claimed a 2", ""},
		{"created a 1; plan 1", "11"},
		{"plan 1; plan 1", "1"},
		{"plan 2; created a 1; claimed a 1", "1"},
		{"plan 2; created a 1; created b 1; claimed a 1; created c 1", "1"},
		{"plan 1; created a 1; done a 1", "2"},
		{"plan 1; created a 1; created a 2", "2"},
		{"plan 1; created a 2", "2"},
		{"plan 1; created a 1; claimed a 1; claimed a 1", "2"},
		{"plan 1; created a 1; claimed a 1; done a 1; failed a 1", "2"},
		{"plan 1; created a 1; claimed a 1; failed a 1; created a 2; done a 1", "2"},
		{"plan 0; claimed a 1", "2"},
		{"plan 0; done a 1", "2"},
		{"plan 1; created a 1; claimed a 1; certify r", "3"},
		{"plan 1; created a 1; claimed a 1; ready 1", "3"},
		{"plan 1; created a 1; claimed a 1; done a 1; ready 2", "3"},
		{"plan 0; ready 0; finalized", "3"},
		{"plan 0; ready 0; certify x; finalized", "3"},
		{"plan 0; ready 0; ready 0", "3"},
		{"plan 0; ready 0; certify r; finalized; rejected", "3"},
		{"plan 1; created a 1; part b a", "4"},
		{"plan 1; created a 1; signal; part b x", "4"},
		{"plan 1; created a 1; claimed a 1; done a 1; signal; part b a", "4"},
		{"plan 1; created a 1; signal; part b a; claimed a 1", "4"},
		{"plan 1; created a 1; signal; part b a; failed a 1", "4"},
		{"plan 1; created a 1; abort; claimed a 1", "4"},
	} {
		got := ""
		var told []string
		check := &order.Checker{Report: func(f order.Finding) {
			got += fmt.Sprint(f.Guarantee)
			told = append(told, f.String())
		}}
		for i, text := range strings.Split(c.events, "; ") {
			say(check, i, text)
		}
		if got != c.want {
			t.Errorf("%s\nfindings about %q, expected %q\n%s", c.events, got, c.want, strings.Join(told, "\n"))
		}
	}
}
