package cli

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says how to use it.
func (completionCmd) Help() string {
	return `bash: source <(stigmergy completion bash)

zsh: stigmergy completion zsh > "${fpath[1]}/_stigmergy"

fish: stigmergy completion fish > ~/.config/fish/completions/stigmergy.fish`
}

// Run prints the script.
func (c *completionCmd) Run(a *app) error {
	whole, err := newParser(a, "")
	if err != nil {
		return fmt.Errorf("building the command line: %w", err)
	}
	nodes := commandNodes(whole.Model.Node, nil)
	var out string
	switch c.Shell {
	case "bash":
		out = bashCompletion(nodes)
	case "zsh":
		out = "#compdef stigmergy\nautoload -U +X bashcompinit && bashcompinit\n" + bashCompletion(nodes)
	default:
		out = fishCompletion(nodes)
	}
	_, err = a.out.Write([]byte(out))
	return err
}

// commandNode is one command with the words that lead to it.
type commandNode struct {
	words []string
	node  *kong.Node
}

// commandNodes lists the program itself and every command below it.
func commandNodes(n *kong.Node, words []string) []commandNode {
	out := []commandNode{{words, n}}
	for _, c := range n.Children {
		if !c.Hidden {
			out = append(out, commandNodes(c, append(words[:len(words):len(words)], c.Name))...)
		}
	}
	return out
}

// flagWords are a command's flags, its parents' included, as they are typed.
func flagWords(n *kong.Node) []string {
	var out []string
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			out = append(out, "--"+f.Name)
			if f.Short != 0 {
				out = append(out, "-"+string(f.Short))
			}
		}
	}
	return out
}

func bashCompletion(nodes []commandNode) string {
	var b strings.Builder
	b.WriteString(`_stigmergy() {
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" path="" w words=""
  for w in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$w" in -*) ;; *) case " $(_stigmergy_commands "$path") " in *" $w "*) path="$path $w" ;; esac ;; esac
  done
  case "$prev" in
    -o|--output) words="text jsonl json table csv tsv raw id" ;;
    --color) words="auto always never" ;;
    -C|--board) COMPREPLY=($(compgen -d -- "$cur")); return ;;
    *) case "$cur" in -*) words="$(_stigmergy_flags "$path")" ;; *) words="$(_stigmergy_commands "$path")" ;; esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}
`)
	b.WriteString("_stigmergy_commands() {\n  case \"$1\" in\n")
	for _, n := range nodes {
		var names []string
		for _, c := range n.node.Children {
			names = append(names, c.Name)
		}
		if len(names) > 0 {
			fmt.Fprintf(&b, "    %q) echo %q ;;\n", prefixed(n.words), strings.Join(names, " "))
		}
	}
	b.WriteString("  esac\n}\n_stigmergy_flags() {\n  case \"$1\" in\n")
	for _, n := range nodes {
		fmt.Fprintf(&b, "    %q) echo %q ;;\n", prefixed(n.words), strings.Join(flagWords(n.node), " "))
	}
	b.WriteString("  esac\n}\ncomplete -F _stigmergy stigmergy\n")
	return b.String()
}

func prefixed(words []string) string {
	out := ""
	for _, w := range words {
		out += " " + w
	}
	return out
}

func fishCompletion(nodes []commandNode) string {
	var b strings.Builder
	b.WriteString("complete -c stigmergy -f\n")
	for _, n := range nodes {
		cond := ""
		if len(n.words) > 0 {
			cond = "__fish_seen_subcommand_from " + n.words[len(n.words)-1]
		}
		for _, c := range n.node.Children {
			when := cond
			if when == "" {
				when = "__fish_use_subcommand"
			}
			fmt.Fprintf(&b, "complete -c stigmergy -n %s -a %s -d %s\n", fishQuote(when), c.Name, fishQuote(c.Help))
		}
		for _, f := range n.node.Flags {
			line := "complete -c stigmergy"
			if cond != "" {
				line += " -n " + fishQuote(cond)
			}
			line += " -l " + f.Name
			if f.Short != 0 {
				line += " -s " + string(f.Short)
			}
			if !f.IsBool() {
				line += " -r"
			}
			fmt.Fprintf(&b, "%s -d %s\n", line, fishQuote(f.Help))
		}
	}
	return b.String()
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
