package blackboard_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain runs few random histories unless told how many: every one of them
// waits for the disk. -rapid.checks=1000 runs many.
func TestMain(m *testing.M) {
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "rapid.checks" })
	if !told {
		_ = flag.Set("rapid.checks", "20") // rapid's own flag: it is there
	}
	os.Exit(m.Run())
}
