package crash

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestRandomKills: a daemon that is killed at any moment, within its recovery
// too, while lines come in; the oracle looks again and again.
func TestRandomKills(t *testing.T) {
	t.Parallel()
	kills, every := scale(10, 60, 500), scale(10, 20, 25)
	rnd := rand.New(rand.NewPCG(*seed, 0))
	b := newBoard(t, t.TempDir(), "16KiB")
	n := 1
	for i := 1; i <= kills; i++ {
		d := b.start()
		deadline := time.After(time.Duration(rnd.IntN(80_000)) * time.Microsecond)
		lane := fmt.Sprintf("agents/%d", rnd.IntN(5))
		for alive := true; alive; {
			select {
			case <-deadline:
				alive = false
			default:
				b.write("good", lane, notes("w", n, 1, 100+rnd.IntN(400))...)
				if n%17 == 0 {
					b.bad(job{writer: "w", lane: lane, first: n})
				}
				n++
				pause(rnd)
			}
		}
		d.kill()
		if i%every == 0 {
			what := fmt.Sprintf("after %d kills (seed %d)", i, *seed)
			b.judge(what)
			b.follow(what)
		}
	}
	t.Logf("%d kills: %v", kills, b.judge("after all kills"))
}

// pause lets up to two milliseconds pass, so that a run of kills does not pile
// up millions of lines.
func pause(rnd *rand.Rand) { <-time.After(time.Duration(rnd.IntN(2000)) * time.Microsecond) }
