package exec

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
)

// TestSweep: what a killed executor left, folders and processes, is cleared away
// by the next one; what belongs to one that lives is not touched.
func TestSweep(t *testing.T) {
	cas := durable.CAS{Layout: layout.Layout{Dir: t.TempDir()}}
	lives, err := New(cas, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(cas.Layout.Private("run"), "dead")
	if err := os.MkdirAll(filepath.Join(dead, "1"), 0o700); err != nil {
		t.Fatal(err)
	}
	start := func(dir string) *exec.Cmd {
		cmd := exec.Command("sleep", "300")
		cmd.Env = []string{mark + "=" + dir}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	orphan, wanted := start(dead), start(lives.scratch.dir)
	next, err := New(cas, os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	if err := orphan.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("the orphan ended with %v", err)
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("the dead executor's folder: %v", err)
	}
	if _, err := os.Stat(lives.scratch.dir); err != nil {
		t.Errorf("the living executor's folder: %v", err)
	}
	if err := wanted.Process.Kill(); err != nil {
		t.Errorf("the living executor's process was ended: %v", err)
	}
	_ = wanted.Wait() // killed, by us
	for _, r := range []*Runner{next, lives} {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
