package gitops

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPatternsAsGit: both kinds of patterns take what git's pathspecs of that
// kind take.
func TestPatternsAsGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIP no git")
	}
	dir := t.TempDir()
	git := func(in string, args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %q: %v", args, err)
		}
		return string(out)
	}
	git("", "init", "-q")
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func(parts []string, n int) string {
		var s string
		for range 1 + rnd.IntN(n) {
			s += parts[rnd.IntN(len(parts))]
		}
		return s
	}
	letters := []string{"a", "b", "-", "]", "é", "*", "x"}
	names := map[string]bool{}
	for range 400 {
		var parts []string
		for range 1 + rnd.IntN(3) {
			parts = append(parts, word(letters, 3))
		}
		names[strings.Join(parts, "/")] = true
	}
	var in strings.Builder
	for n := range names {
		for other := range names {
			if strings.HasPrefix(other, n+"/") {
				n = "" // a file where a folder has to be
				break
			}
		}
		if n != "" {
			in.WriteString("100644 " + strings.Repeat("1", 40) + "\t" + n + "\x00")
		}
	}
	git(in.String(), "update-index", "-z", "--index-info")
	all := fields([]byte(git("", "ls-files", "-z")))
	pieces := []string{"a", "b", "x", "*", "**", "/", "?", "[ab]", "[!a]", "[a-x]", "[]-]", `\*`, "-", "**/", "/**"}
	loose := regexp.MustCompile(`[^/*]\*\*|\*\*[^/*]`)
	for range 250 {
		p := strings.TrimLeft(word(pieces, 6), "/")
		if p == "" || strings.Contains(p, "//") || outside(p) != "" {
			continue
		}
		for _, kind := range []struct {
			magic string
			ours  func(pattern, name string) bool
		}{{":(top)", matchSpec}, {":(top,glob)", matchGlob}} {
			if strings.Contains(kind.magic, "glob") && loose.MatchString(p) {
				continue // a ** that is no whole part of a path: git itself does not know (it compares unrelated pointers there)
			}
			want := fields([]byte(git("", "ls-files", "-z", "--", kind.magic+p)))
			var got []string
			for _, n := range all {
				if kind.ours(p, n) {
					got = append(got, n)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s%s: %d of ours, %d of git's: %q / %q", kind.magic, p, len(got), len(want), minus(got, want), minus(want, got))
			}
		}
	}
}

func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
