package cli

import (
	"errors"
	"fmt"

	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
)

type certifyCmd struct {
	Show   certifyShow   `cmd:"" help:"Print the newest signed checkpoint, or how a plan was certified."`
	Key    certifyKey    `cmd:"" help:"Print the board's verifier key: what others check its signatures with."`
	Rotate certifyRotate `cmd:"" help:"Go on with a new key, named and signed together with the old one."`
	Cosign certifyCosign `cmd:"" help:"Have a witness cosign the newest checkpoint."`
	Export certifyExport `cmd:"" help:"Write the whole log as a static C2SP tlog-tiles directory."`
}

type certifyKey struct {
	All bool `help:"Every key that ever signed here, the first one first."`
}

// Help says the rest.
func (certifyKey) Help() string {
	return "One line, NAME+HASH+BASE64. Note it where nobody who can write to the board can change it: verify --key proves more than a key that is read from the board itself."
}

// Run prints the key.
func (c *certifyKey) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	if _, err := history.EnsureKey(l, nil, a.origin(l)); err != nil {
		return keyFault(err)
	}
	known, err := history.Verifiers(l)
	if err != nil {
		return err
	}
	if !c.All {
		known = known[len(known)-1:]
	}
	for _, k := range known {
		v, err := seal.ParseVerifier(k.Key)
		if err != nil {
			return err
		}
		if a.format() == "json" {
			err = a.one(record{text("key", k.Key), text("name", v.Name()), text("id", fmt.Sprintf("%08x", v.ID())), number("from", k.From)})
		} else {
			_, err = a.out.Write([]byte(visibleText(a, []byte(k.Key+"\n"))))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// origin is the name of the board in its checkpoints.
func (a *app) origin(l layout.Layout) string {
	id, err := l.ID()
	if err != nil {
		return ""
	}
	s, err := a.someSettings(l)
	if err != nil {
		return "stigmergy/" + id
	}
	return s.Origin(id)
}

// keyFault gives a key that is not used its status.
func keyFault(err error) error {
	var key *history.KeyError
	if errors.As(err, &key) {
		return &Fault{Doing: "reading the board's private key", Path: key.Path, Expected: "a regular file that only its owner can read", Found: key.Found, Try: key.Try, Code: codeUsage}
	}
	return err
}
