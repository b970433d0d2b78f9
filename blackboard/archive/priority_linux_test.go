package archive

import (
	"syscall"
	"testing"
)

// TestLowPriority: the thread that compresses gives way, and nobody else's does.
func TestLowPriority(t *testing.T) {
	nice := func() int { // getpriority gives 20 - nice
		n, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
		if err != nil {
			t.Fatal(err)
		}
		return 20 - n
	}
	before := nice()
	atPriority(true, func() {
		if got := nice(); got != 19 {
			t.Errorf("nice %d", got)
		}
	})
	for range 20 {
		atPriority(false, func() {
			if got := nice(); got != before {
				t.Errorf("nice %d instead of %d", got, before)
			}
		})
	}
}
