package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"stigmergy/blackboard/layout"
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
		packet, _, err := gitopsPacket(ctx, root, f)
		if err != nil {
			return fmt.Errorf("remembering the run: %w", err)
		}
		if err := replaceFile(filepath.Join(f.Dir, gitops.ExemplarFile), append(packet, '\n')); err != nil {
			return fmt.Errorf("remembering the run: %w", err)
		}
		patient := &app{ctx: ctx, environ: a.environ, now: a.now, in: a.in, out: a.out, err: a.err, line: a.line}
		if _, err := patient.remember(l, gitops.Lane, packet, rememberTimeout); err != nil {
			return fmt.Errorf("remembering the run: %w", err)
		}
		return nil
	}
}
