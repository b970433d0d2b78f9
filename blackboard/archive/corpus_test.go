package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// corpus is a history of plans as HXO writes it: many run at once, each of
// about sixteen shards that are created, claimed and done.
func corpus(t testing.TB, lines int) []byte {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	type shard struct {
		plan, cas string
		state     int
	}
	hex := func(n int) string {
		s := ""
		for len(s) < n {
			s += fmt.Sprintf("%016x", rnd.Uint64())
		}
		return s[:n]
	}
	stages := []string{"pack_backend", "unit_tests", "lint", "sign", "publish", "rollup_daily", "verify_proofs"}
	var b bytes.Buffer
	var open []*shard
	at := time.Date(2026, 1, 26, 0, 0, 0, 0, time.UTC)
	for n := 0; n < lines; {
		if len(open) < 900 {
			h := hex(32)
			plan := fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
			for range 8 + rnd.IntN(16) {
				open = append(open, &shard{plan: plan, cas: hex(16)})
			}
		}
		i := rnd.IntN(len(open))
		s := open[i]
		at = at.Add(time.Duration(rnd.ExpFloat64() * 8e6).Truncate(time.Microsecond))
		topic := [...]string{"hxo.shard.created", "hxo.shard.claimed", "hxo.shard.done"}[s.state]
		extra := [...]string{`"phase":"pending","index":` + fmt.Sprint(rnd.IntN(16)), `"phase":"claimed","lease_ms":15000,"attempt":1`,
			`"output_digest":"` + hex(64) + `","bytes":` + fmt.Sprint(rnd.IntN(100_000))}[s.state]
		fmt.Fprintf(&b, `{"specversion":"1.0","id":"01KF%s","source":"hxo/executor/%02d","type":"%s","time":"%s","data":{"plan_id":"%s","stage_id":"%s","cas_id":"%s",%s}}`+"\n",
			ulidTail(rnd), rnd.IntN(48), topic, at.Format("2006-01-02T15:04:05.000000Z"), s.plan, stages[len(s.plan+s.cas)*int(s.cas[0])%len(stages)], s.cas, extra)
		if s.state++; s.state == 3 {
			open[i] = open[len(open)-1]
			open = open[:len(open)-1]
		}
		n++
	}
	return b.Bytes()
}

func ulidTail(rnd *rand.Rand) string {
	const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	b := make([]byte, 22)
	for i := range b {
		b[i] = digits[rnd.IntN(32)]
	}
	return string(b)
}
