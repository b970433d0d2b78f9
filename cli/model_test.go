package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"stigmergy/contracts"
)

func model(t testing.TB) *kong.Kong {
	t.Helper()
	a, _ := testApp(t, "", false)
	k, err := newParser(a, "")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A letter means one thing in the whole program, whatever the command.
func TestShortFlagsMeanOneThing(t *testing.T) {
	means := map[rune]string{}
	alike := map[string]string{"lanes": "lane", "count": "count"}
	for _, n := range commandNodes(model(t).Model.Node, nil) {
		for _, f := range n.node.Flags {
			if f.Short == 0 {
				continue
			}
			name := f.Name
			if a, ok := alike[name]; ok {
				name = a
			}
			if was, ok := means[f.Short]; ok && was != name {
				t.Errorf("-%c is --%s and --%s (%s)", f.Short, was, name, strings.Join(n.words, " "))
			}
			means[f.Short] = name
		}
	}
	for letter, name := range map[rune]string{'C': "board", 'o': "output", 'w': "where", 'n': "number", 'f': "follow", 'S': "since", 'U': "until"} {
		if got, ok := means[letter]; ok && got != name {
			t.Errorf("-%c is --%s, want --%s", letter, got, name)
		}
	}
}

func TestEveryCommandAndFlagSaysWhatItIs(t *testing.T) {
	for _, n := range commandNodes(model(t).Model.Node, nil)[1:] {
		if !strings.HasSuffix(n.node.Help, ".") {
			t.Errorf("%s: help %q", strings.Join(n.words, " "), n.node.Help)
		}
		for _, v := range n.node.Flags {
			if v.Help == "" {
				t.Errorf("%s --%s has no help", strings.Join(n.words, " "), v.Name)
			}
		}
		for _, v := range n.node.Positional {
			if v.Help == "" {
				t.Errorf("%s %s has no help", strings.Join(n.words, " "), v.Name)
			}
		}
	}
}

// Completion and the manual come from the model: nothing is missing in them.
func TestCompletionAndManKnowEveryCommand(t *testing.T) {
	outputs := map[string]string{}
	for _, args := range [][]string{{"completion", "bash"}, {"completion", "zsh"}, {"completion", "fish"}, {"man"}} {
		a, read := testApp(t, "", false)
		if err := a.run(args); err != nil {
			t.Fatal(err)
		}
		outputs[strings.Join(args, " ")] = read()
	}
	for _, n := range commandNodes(model(t).Model.Node, nil)[1:] {
		for what, text := range outputs {
			word := n.words[len(n.words)-1]
			if what == "man" {
				word = roff(word)
			}
			if !strings.Contains(text, word) {
				t.Errorf("%s does not know %v", what, n.words)
			}
		}
		for _, f := range n.node.Flags {
			if !strings.Contains(outputs["completion bash"], "--"+f.Name) || !strings.Contains(outputs["man"], roff("--"+f.Name)) {
				t.Errorf("--%s of %v is missing", f.Name, n.words)
			}
		}
	}
	if !strings.Contains(outputs["man"], "SEGMENT_MAX_BYTES") {
		t.Error("the manual knows no settings")
	}
}

// bash itself reads the script and completes with it.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	a, read := testApp(t, "", false)
	if err := a.run([]string{"completion", "bash"}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "completion.bash")
	must(t, os.WriteFile(path, []byte(read()), 0o644))
	for words, want := range map[string]string{
		"stigmergy qu":              "query",
		"stigmergy contracts sh":    "show",
		"stigmergy -C x post --sub": "--subject",
		"stigmergy query -o js":     "jsonl json",
	} {
		script := `. "$1"; COMP_WORDS=($2); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _stigmergy; echo "${COMPREPLY[*]}"`
		out, err := exec.Command(bash, "-c", script, "bash", path, words).CombinedOutput()
		got := strings.Fields(string(out))
		for _, w := range strings.Fields(want) {
			if err != nil || !strings.Contains(" "+strings.Join(got, " ")+" ", " "+w+" ") {
				t.Errorf("%s completes to %q, %v; want %s", words, out, err, want)
			}
		}
	}
}

// The sample of every topic is an event that its contract accepts.
func TestSamplesAreValid(t *testing.T) {
	reg := contracts.Builtin()
	c := contracts.Checker{Registry: reg, MaxLine: 1 << 20}
	for _, topic := range reg.Topics() {
		line, err := sample(topic)
		if err != nil {
			t.Errorf("%s: %v", topic.Name, err)
			continue
		}
		var ev contracts.Event
		if r := c.Check(line, &ev); r != nil || ev.TopicName != topic.Name {
			t.Errorf("%s: %s: %v", topic.Name, line, r)
		}
	}
}

func TestSlipsNameTheRightFlag(t *testing.T) {
	for args, want := range map[string]string{
		"grep -r foo":           "needs no -r",
		"grep -o foo":           "--only",
		"grep -n foo":           "position",
		"grep -E foo":           "RE2",
		"grep -e foo":           "first argument",
		"tail -n+5":             "query",
		"tail -F":               "-f follows",
		"tail -c 5":             "not bytes",
		"query -c":              "--count",
		"query --json":          "-o json",
		"query --limit 5":       "-n",
		"query --from 1h":       "-S",
		"query -x":              "unknown flag -x",
		"frobnicate":            "unexpected argument frobnicate",
		"querry":                "query",
		"query -o yaml":         "must be one of",
		"query -n many":         "many",
		"post":                  "a TOPIC",
		"plan submit":           `expected "<file>"`,
		"query --no-such-thing": "unknown flag",
	} {
		a, _ := testApp(t, "", false)
		l := newBoard(t)
		err := a.run(append([]string{"-C", l.Dir}, strings.Fields(args)...))
		if err == nil || exitCode(err) != codeUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: exit %d: %v; want %q", args, exitCode(err), err, want)
		}
	}
}

// The beginning of a name is enough for nothing: scripts break otherwise when
// a command is added.
func TestNoAbbreviations(t *testing.T) {
	a, _ := testApp(t, "", false)
	if err := a.run([]string{"quer"}); exitCode(err) != codeUsage {
		t.Errorf("quer: %v", err)
	}
}
