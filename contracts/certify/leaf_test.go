package certify

import (
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts/merkle"
)

var someLeaf = Leaf{
	PlanID: "0f8fad5b-d9cb-469f-a165-70867728950e", StageID: "pack_backend", CASID: "9f86d081884c7d65",
	Input:  "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	Output: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}

func TestLeafIsItsText(t *testing.T) {
	want := "stigmergy.shard.v1\n0f8fad5b-d9cb-469f-a165-70867728950e\npack_backend\n9f86d081884c7d65\n" + someLeaf.Input + "\n" + someLeaf.Output + "\n"
	if someLeaf.Text() != want {
		t.Fatalf("got %q", someLeaf.Text())
	}
	if someLeaf.Hash() != merkle.LeafHash([]byte(want)) {
		t.Fatal("its hash is not its text's")
	}
	if back, err := ParseLeaf(want); err != nil || back != someLeaf {
		t.Fatalf("%v %v", back, err)
	}
}

// The pipeline of the type's comment.
func TestLeafInTheShell(t *testing.T) {
	out, err := exec.Command("sh", "-c", `(printf '\0'; printf 'stigmergy.shard.v1\n%s\n%s\n%s\n%s\n%s\n' "$@") | sha256sum`,
		"sh", someLeaf.PlanID, someLeaf.StageID, someLeaf.CASID, someLeaf.Input, someLeaf.Output).Output()
	if err != nil {
		t.Skip("no sh with sha256sum here:", err)
	}
	if got := strings.Fields(string(out))[0]; got != someLeaf.Hash().String() {
		t.Fatalf("the shell says %s", got)
	}
}

func TestLeafRefusesOtherText(t *testing.T) {
	good := someLeaf.Text()
	for _, bad := range []string{
		"", good[:len(good)-1], good + "\n", "x" + good, strings.ToUpper(good),
		strings.Replace(good, "9f86d081884c7d65\n", "0f86d081884c7d65\n", 1),
		strings.Replace(good, "pack_backend", "", 1),
		strings.Replace(good, "pack_backend", "pack\nbackend", 1),
		strings.Replace(good, "e3b0", "E3b0", 1), strings.Replace(good, "e3b0", "e3b", 1),
	} {
		if l, err := ParseLeaf(bad); err == nil {
			t.Errorf("%q was read as %v", bad, l)
		}
	}
}

// Whatever is read is written back as it was.
func TestLeafHasOneText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(someLeaf.Text())
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		if l, err := ParseLeaf(string(b)); err == nil && l.Text() != string(b) {
			t.Fatalf("%q was read as %q", b, l.Text())
		}
	})
}
