package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stigmergy/contracts"
)

type contractsCmd struct {
	Ls     contractsLs     `cmd:"" help:"List the contracts in force."`
	Show   contractsShow   `cmd:"" help:"Print one contract's JSON Schema."`
	Check  contractsCheck  `cmd:"" help:"Validate events in files, or contracts themselves."`
	Diff   contractsDiff   `cmd:"" help:"What changed between two contracts, and what that breaks (exit 1)."`
	Export contractsExport `cmd:"" help:"Write contracts as JSON Schema, AsyncAPI, TypeScript or Zod."`
	Import contractsImport `cmd:"" help:"Put contracts of the board's own in force."`
}

type contractsLs struct {
	Topic []string `arg:"" optional:"" help:"Topics or patterns (default: all)."`
}

// Run lists the contracts.
func (c *contractsLs) Run(a *app) error {
	topics, err := a.topics(c.Topic)
	if err != nil {
		return err
	}
	p := a.printer()
	for _, t := range topics {
		origin := "built in"
		if !t.Builtin {
			origin = "board"
		}
		err := p.add(record{text("topic", t.Name), text("origin", origin), text("version", t.Version),
			text("owner", t.Owner), number("bytes", len(t.Schema)), text("purpose", t.Title)})
		if err != nil {
			return err
		}
	}
	return p.close()
}

type contractsShow struct {
	Topic string `arg:"" help:"The topic, or the name of a file's contract, as gitops_receipt.v1."`
}

// Run prints the schema: as it was written, or on one line in a pipe of lines.
func (c *contractsShow) Run(a *app) error {
	if slices.Contains(contracts.FileContracts(), c.Topic) {
		text, err := contracts.FileContractText(c.Topic)
		if err != nil {
			return err
		}
		if a.line.Output == "jsonl" {
			text = oneLineJSON(text)
		}
		_, err = a.out.Write(append(bytes.TrimSpace(text), '\n'))
		return err
	}
	topics, err := a.topics([]string{c.Topic})
	if err != nil {
		return err
	}
	for _, t := range topics {
		text := bytes.TrimSpace(t.Schema)
		if a.line.Output == "jsonl" {
			text = oneLineJSON(text)
		}
		if _, err := a.out.Write(append([]byte(visibleText(a, text)), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// visibleText is a text of several lines, safe for where it goes.
func visibleText(a *app, text []byte) string {
	if !a.out.tty {
		return string(text)
	}
	return visible(string(text))
}

// exportTo writes one file a topic.
func exportTo(a *app, dir string, topics []*contracts.Topic) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("exporting contracts: %w", err)
	}
	for _, t := range topics {
		if err := replaceFile(filepath.Join(dir, t.Name+schemaExt), t.Schema); err != nil {
			return fmt.Errorf("exporting contracts: %w", err)
		}
	}
	a.note("%d contracts written to %s", len(topics), dir)
	return nil
}

// oneLineJSON is a JSON text without line breaks.
func oneLineJSON(text []byte) []byte {
	var one bytes.Buffer
	if json.Compact(&one, text) != nil {
		return text
	}
	return one.Bytes()
}

type contractsImport struct {
	File []string `arg:"" type:"path" help:"Files named TOPIC.schema.json."`
}

// Help says the rest.
func (contractsImport) Help() string {
	return "The files are checked, together with what the board has, before any is copied to BOARD/contracts/. A running daemon takes them up by itself. A built-in contract cannot be loosened."
}

// Run checks all, then copies all.
func (c *contractsImport) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	have, err := contractFiles(l)
	if err != nil {
		return err
	}
	all := map[string][]byte{}
	for topic, text := range have {
		all[topic] = text
	}
	added := map[string]string{}
	for _, path := range c.File {
		topic, text, err := readContract(path)
		if err != nil {
			return err
		}
		all[topic], added[topic] = text, path
	}
	_, faults := contracts.Builtin().With(all)
	for _, f := range faults {
		if path, ok := added[f.Topic]; ok {
			return contractError("importing contracts", path, f)
		}
	}
	if err := os.MkdirAll(l.Contracts(), 0o755); err != nil {
		return fmt.Errorf("importing contracts: %w", err)
	}
	for topic := range added {
		if err := replaceFile(filepath.Join(l.Contracts(), topic+schemaExt), all[topic]); err != nil {
			return fmt.Errorf("importing contracts: %w", err)
		}
	}
	a.note("%d contracts in %s", len(added), l.Contracts())
	return nil
}

// readContract reads a schema file, whose name gives its topic.
func readContract(path string) (topic string, text []byte, err error) {
	topic, ok := strings.CutSuffix(filepath.Base(path), schemaExt)
	if !ok || !contracts.ValidTopic([]byte(topic)) {
		return "", nil, usage("reading the contract "+path, "a file named TOPIC"+schemaExt, quote(filepath.Base(path)), "")
	}
	text, err = readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, &Fault{Doing: "reading the contract", Path: path, Err: fs.ErrNotExist, Code: codeUsage}
	}
	return topic, text, err
}

func contractError(doing, path string, f contracts.ContractFault) error {
	out := &Fault{Doing: doing, Path: path, Err: errors.New(f.Error), Code: codeUsage, Try: "stigmergy contracts check " + shellQuote(path)}
	if f.Line > 0 {
		out.Position = fmt.Sprintf("%d:%d", f.Line, f.Column)
	}
	return out
}
