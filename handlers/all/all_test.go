package all_test

import (
	"testing"

	"stigmergy/blackboard"
	"stigmergy/handlers"
	"stigmergy/handlers/all"
)

func TestNew(t *testing.T) {
	m, err := all.New()
	if err != nil {
		t.Fatal(err)
	}
	var f blackboard.Fold = m
	if f.Version() != handlers.FoldVersion || len(f.Effects()) != 0 {
		t.Errorf("version %d, effects %v", f.Version(), f.Effects())
	}
	if _, due := f.Due(); due {
		t.Error("a new fold has a timer")
	}
}
