package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"stigmergy/blackboard/layout"
	"stigmergy/gitops"
)

// remember makes a finished run's packet, attests the run, and posts the
// packet: a run is not done until its packet is ingested.
func (a *app) remember(l layout.Layout, rootDir string, emit func(gitops.Event, bool) error) func(context.Context, *gitops.Finished) error {
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
		if err := replaceFile(filepath.Join(f.Dir, gitops.ExemplarFile), append(packet, '\n')); err != nil {
			return fmt.Errorf("remembering the run: %w", err)
		}
		_ = id
		return emit(gitops.Event{ID: gitops.EventID(f.Receipt.RunID, "exemplar"), Topic: "hfo.exemplar", Subject: f.Receipt.RunID, Data: packet}, f.Again)
	}
}
