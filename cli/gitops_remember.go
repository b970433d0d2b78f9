package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
	"stigmergy/gitops"
)

// rememberRun makes a finished run's packet and has it ingested: a run is not
// done before. A signal ends the run, but not this.
func (a *app) rememberRun(l layout.Layout, rootDir string) func(context.Context, *gitops.Finished) error {
	return func(ctx context.Context, f *gitops.Finished) error {
		root, err := os.OpenRoot(rootDir)
		if err != nil {
			return fmt.Errorf("remembering the run: %w", err)
		}
		defer root.Close()
		packet, id, err := gitopsPacket(ctx, root, f)
		if err != nil {
			return fmt.Errorf("remembering the run: %w", err)
		}
		if err := f.Place(gitops.ExemplarFile, append(packet, '\n')); err != nil {
			return fmt.Errorf("remembering the run: %w", err)
		}
		if err := errors.Join(a.attest(l, f, id), f.Seal()); err != nil {
			return err
		}
		patient := &app{ctx: ctx, environ: a.environ, now: a.now, in: a.in, out: a.out, err: a.err, line: a.line}
		if _, err := patient.remember(l, gitops.Lane, packet, rememberTimeout); err != nil {
			return fmt.Errorf("remembering the run: %w", err)
		}
		return nil
	}
}

// attest signs a statement about a run with the board's key. A board whose key
// cannot be used says so, and the bundle has no attestation.
func (a *app) attest(l layout.Layout, f *gitops.Finished, exemplarID string) error {
	key, err := history.Key(l)
	if err != nil {
		a.note("stigmergy: warning: the run is not attested: %v", err)
		return nil
	}
	return gitops.Attest(f, exemplarID, keyID(key.Public()), key.SignBytes)
}

// keyID is NAME+HASH of a verifier key.
func keyID(vkey string) string {
	if parts := strings.SplitN(vkey, "+", 3); len(parts) == 3 {
		return parts[0] + "+" + parts[1]
	}
	return vkey
}

// signatureCheck checks attestations with the keys that are given, else with
// the board's own; nil where there are none.
func (a *app) signatureCheck(args []string) (func(id string, signed, sig []byte) error, error) {
	var keys []*seal.Verifier
	var err error
	if len(args) > 0 {
		keys, err = verifierKeys(args)
	} else if keys, err = a.ownKeys(); err != nil {
		return nil, nil // no board here, or one without a key
	}
	if err != nil {
		return nil, err
	}
	return func(id string, signed, sig []byte) error {
		for _, k := range keys {
			if keyID(k.String()) == id {
				return k.VerifyBytes(signed, sig)
			}
		}
		return fmt.Errorf("it is signed by %s, which is no key that was given", id)
	}, nil
}
