package cli

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"stigmergy/blackboard/settings"
)

type manCmd struct{}

// Help says how to use it.
func (manCmd) Help() string { return "stigmergy man | man -l -" }

// Run prints the manual page in roff.
func (manCmd) Run(a *app) error {
	var b strings.Builder
	b.WriteString(".TH STIGMERGY 1\n.SH NAME\nstigmergy \\- a blackboard of append-only JSON Lines files\n")
	b.WriteString(".SH SYNOPSIS\n.B stigmergy\n[\\fIflags\\fR] \\fIcommand\\fR [\\fIarguments\\fR]\n.SH DESCRIPTION\n")
	for _, part := range strings.Split(description, "\n\n") {
		fmt.Fprintf(&b, ".PP\n%s\n", roff(part))
	}
	whole, err := newParser(a, "")
	if err != nil {
		return fmt.Errorf("building the command line: %w", err)
	}
	root := whole.Model.Node
	b.WriteString(".SH GLOBAL FLAGS\n")
	manFlags(&b, root.Flags)
	b.WriteString(".SH COMMANDS\n")
	for _, n := range commandNodes(root, nil)[1:] {
		if len(n.node.Children) > 0 {
			continue
		}
		fmt.Fprintf(&b, ".SS stigmergy %s\n%s\n", roff(manUsage(n)), roff(n.node.Help))
		if n.node.Detail != "" {
			for _, part := range strings.Split(n.node.Detail, "\n\n") {
				fmt.Fprintf(&b, ".PP\n%s\n", roff(part))
			}
		}
		for _, p := range n.node.Positional {
			fmt.Fprintf(&b, ".TP\n\\fI%s\\fR\n%s\n", roff(strings.ToUpper(p.Name)), roff(p.Help))
		}
		manFlags(&b, n.node.Flags)
	}
	b.WriteString(".SH SETTINGS\n")
	settings.Default().Each(func(name, value, _ string) {
		fmt.Fprintf(&b, ".TP\n\\fB%s\\fR (%s)\n%s\n", roff(name), roff(value), roff(settings.EnvName(name)))
	})
	_, err = a.out.Write([]byte(b.String()))
	return err
}

func manUsage(n commandNode) string {
	out := strings.Join(n.words, " ")
	for _, p := range n.node.Positional {
		name := strings.ToUpper(p.Name)
		if p.IsCumulative() {
			name += "…"
		}
		if !p.Required {
			name = "[" + name + "]"
		}
		out += " " + name
	}
	return out
}

func manFlags(b *strings.Builder, flags []*kong.Flag) {
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		name := "\\-\\-" + roff(f.Name)
		if f.Short != 0 {
			name = "\\-" + string(f.Short) + ", " + name
		}
		if !f.IsBool() {
			name += " \\fI" + roff(strings.ToUpper(f.FormatPlaceHolder())) + "\\fR"
		}
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR\n%s\n", name, roff(f.Help))
	}
}

// roff escapes what the formatter would take for its own.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
