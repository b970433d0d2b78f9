package blackboard

import (
	"os"
	"strings"
	"time"
)

// Clock is where the kernel takes times from. Between two calls of Now the
// difference is monotonic; wall time is only recorded.
type Clock interface{ Now() time.Time }

// SystemClock is the machine's.
type SystemClock struct{}

// Now is time.Now.
func (SystemClock) Now() time.Time { return time.Now() }

// maxGap is how much of the time between two runs counts for timers.
const maxGap = 60 * time.Second

// bootID tells one boot of the machine from another; empty where the system
// does not say.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// stamps gives entries their time and elapsed_ms: neither ever goes back.
type stamps struct {
	clock   Clock
	start   time.Time
	base    int64 // elapsed_ms at start
	last    int64 // time of the last entry, ns
	elapsed int64 // of the last entry
}

// newStamps goes on behind the last entry: time between two runs counts up to
// maxGap.
func newStamps(c Clock, lastTime, lastElapsed int64) *stamps {
	s := &stamps{clock: c, start: c.Now(), base: lastElapsed, last: lastTime, elapsed: lastElapsed}
	if lastTime > 0 {
		gap := time.Duration(s.start.UnixNano() - lastTime)
		s.base += min(max(gap, 0), maxGap).Milliseconds()
	}
	return s
}

// now is the board's monotonic clock.
func (s *stamps) now() int64 {
	return max(s.base+s.clock.Now().Sub(s.start).Milliseconds(), s.elapsed)
}

func (s *stamps) next() (ns, elapsed int64) {
	now := s.clock.Now()
	s.last = max(s.last, now.UnixNano())
	s.elapsed = max(s.elapsed, s.base+now.Sub(s.start).Milliseconds())
	return s.last, s.elapsed
}
