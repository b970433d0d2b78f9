package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"stigmergy/contracts"
)

type contractsDiff struct {
	Old string `arg:"" help:"A contract's file (TOPIC.schema.json), or a topic."`
	New string `arg:"" optional:"" help:"The other one. Without it OLD is compared with what is in force for its topic."`
}

// Help says the rest.
func (contractsDiff) Help() string {
	return "A change breaks writers if what they wrote yesterday may be refused today, and readers if they may meet what they did not before. Exit 1 if anything breaks. With one FILE: what putting it in force would change."
}

// Run compares.
func (c *contractsDiff) Run(a *app) error {
	before, after := c.Old, c.New
	if after == "" {
		before, after = strings.TrimSuffix(filepath.Base(c.Old), schemaExt), c.Old
	}
	old, err := a.contractText(before)
	if err != nil {
		return err
	}
	now, err := a.contractText(after)
	if err != nil {
		return err
	}
	changes, err := contracts.Compare(old, now)
	if err != nil {
		return &Fault{Doing: "comparing contracts", Err: err, Code: codeUsage, Try: "stigmergy contracts check " + shellQuote(c.Old)}
	}
	p := a.printer()
	breaking := 0
	for _, ch := range changes {
		if ch.Breaks != contracts.BreaksNobody {
			breaking++
		}
		if err := p.add(record{text("pointer", ch.Pointer), text("change", ch.Message), text("breaks", ch.Breaks)}); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	a.note("%d changes, %d of them breaking", len(changes), breaking)
	if breaking > 0 {
		return exitWith(codeNone)
	}
	return nil
}

// contractText is a contract by file or topic.
func (a *app) contractText(name string) ([]byte, error) {
	if strings.HasSuffix(name, schemaExt) {
		text, err := readSmall(name)
		if err != nil {
			return nil, fmt.Errorf("comparing contracts: %w", err)
		}
		return text, nil
	}
	topics, err := a.topics([]string{name})
	if err != nil {
		return nil, err
	}
	return topics[0].Schema, nil
}

type contractsExport struct {
	Topic  []string `arg:"" optional:"" help:"Topics or patterns (default: all)."`
	Format string   `enum:"jsonschema,asyncapi,typescript,zod" default:"jsonschema" placeholder:"FORMAT" help:"jsonschema (one TOPIC.schema.json each), asyncapi (3.0), typescript or zod (one file)."`
	Zod    bool     `help:"The same as --format zod."`
	To     string   `type:"path" placeholder:"PATH" help:"The folder of jsonschema, the file of the others (default: standard output)."`
}

// Run writes what the contracts say in another language.
func (c *contractsExport) Run(a *app) error {
	topics, err := a.topics(c.Topic)
	if err != nil {
		return err
	}
	if c.Zod {
		c.Format = "zod"
	}
	var text []byte
	switch c.Format {
	case "asyncapi":
		text = contracts.ExportAsyncAPI(topics)
	case "typescript":
		text = contracts.ExportTypeScript(topics)
	case "zod":
		text = contracts.ExportZod(topics)
	default:
		return c.schemas(a, topics)
	}
	if c.To == "" {
		_, err := a.out.Write([]byte(visibleText(a, text)))
		return err
	}
	if err := replaceFile(c.To, text); err != nil {
		return fmt.Errorf("exporting contracts: %w", err)
	}
	return nil
}

// schemas writes one file a topic, or an object of all by topic.
func (c *contractsExport) schemas(a *app, topics []*contracts.Topic) error {
	if c.To != "" {
		return exportTo(a, c.To, topics)
	}
	p := a.printer()
	for _, t := range topics {
		if err := p.line(oneLineJSON(t.Schema)); err != nil {
			return err
		}
	}
	return p.close()
}
