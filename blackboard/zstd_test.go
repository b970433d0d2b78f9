package blackboard_test

import (
	"io"
	"os"
	"testing"

	"stigmergy/blackboard/archive"
)

// unzstd decodes an archive as any zstd tool would.
func unzstd(t testing.TB, path string) ([]byte, bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	z, err := archive.NewStream(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text, true
}
