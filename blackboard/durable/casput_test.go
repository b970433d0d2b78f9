package durable

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/blackboard/layout"
)

func newCAS(t testing.TB, disk *Disk) CAS {
	t.Helper()
	return CAS{Layout: layout.Layout{Dir: t.TempDir()}, Disk: disk}
}

// TestObjects: whatever the pieces it comes in, an object is what was written.
func TestObjects(t *testing.T) {
	cas := newCAS(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		var objects []*Object
		var want [][]byte
		for range rapid.IntRange(1, 20).Draw(t, "objects") {
			o, all := cas.New(), []byte{}
			for range rapid.IntRange(0, 5).Draw(t, "pieces") {
				piece := bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.SampledFrom([]int{0, 1, 100, heldBytes - 1, heldBytes, heldBytes + 1}).Draw(t, "length"))
				if _, err := o.Write(piece); err != nil {
					t.Fatal(err)
				}
				all = append(all, piece...)
			}
			if o.Size() != int64(len(all)) {
				t.Fatalf("size %d of %d bytes", o.Size(), len(all))
			}
			if rapid.IntRange(0, 9).Draw(t, "discard") == 0 {
				o.Discard()
				continue
			}
			objects, want = append(objects, o), append(want, all)
		}
		if err := errors.Join(cas.Publish(objects...)...); err != nil {
			t.Fatal(err)
		}
		for i, o := range objects {
			if got, err := cas.Get(o.Name()); err != nil || !bytes.Equal(got, want[i]) {
				t.Fatalf("object %d: %d bytes of %d: %v", i, len(got), len(want[i]), err)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(cas.Layout.CAS(), ".*")); len(left) > 0 {
			t.Fatalf("left behind: %v", left)
		}
	})
}

// TestObjectFailures: whichever step fails, an object stands whole or not at
// all, and the others of its batch stand.
func TestObjectFailures(t *testing.T) {
	for step := 1; step < 20; step++ {
		disk, err := New(fmt.Sprintf("%d:ENOSPC", step))
		if err != nil {
			t.Fatal(err)
		}
		cas := newCAS(t, disk)
		var objects []*Object
		for i := range 3 {
			o := cas.New()
			if _, err := o.Write(bytes.Repeat([]byte{byte(i)}, heldBytes+i)); err == nil {
				objects = append(objects, o)
			} else {
				o.Discard()
			}
		}
		for i, err := range cas.Publish(objects...) {
			if err != nil && !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("step %d: %v", step, err)
			}
			if _, gerr := cas.Get(objects[i].Name()); err == nil && gerr != nil {
				t.Errorf("step %d: published, and then: %v", step, gerr)
			}
		}
		_ = cas.Each(func(name string, _ int64) error {
			if _, err := cas.Get(name); err != nil {
				t.Errorf("step %d: %v", step, err)
			}
			return nil
		})
		if left, _ := filepath.Glob(filepath.Join(cas.Layout.CAS(), ".*")); len(left) > 0 {
			t.Errorf("step %d: left behind: %v", step, left)
		}
	}
}

// TestObjectAgain: what stands already is not written again, but counts as new
// for whoever sweeps by age.
func TestObjectAgain(t *testing.T) {
	cas := newCAS(t, nil)
	name, err := cas.Put([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	path := cas.Layout.Blob(name)
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	o := cas.New()
	if _, err := o.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(cas.Publish(o)...); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || time.Since(after.ModTime()) > time.Hour {
		t.Errorf("it was made anew, or is as old as it was: %v %v", after, err)
	}
}
