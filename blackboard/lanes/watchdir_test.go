package lanes

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestDirWatchTellsOfEachFolder(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	w, err := NewDirWatch()
	if err != nil {
		t.Skip("no watch to be had here:", err)
	}
	defer w.Close()
	for _, dir := range []string{a, b} {
		if err := w.Add(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{a, b, a} {
		f, err := os.OpenFile(filepath.Join(dir, "x.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("{}\n"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-w.C():
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing heard of %s", dir)
		}
		for idle := false; !idle; { // creation and write may be two tokens
			select {
			case <-w.C():
			case <-time.After(50 * time.Millisecond):
				idle = true
			}
		}
	}
	if err := w.Add(filepath.Join(a, "none")); err == nil {
		t.Error("a folder that is not there was watched")
	}
}
