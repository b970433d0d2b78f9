// Package all is the list of the handlers that run on a board, and the only
// package that names them.
package all

import (
	"fmt"

	"stigmergy/handlers"
	"stigmergy/handlers/audit"
	"stigmergy/handlers/autonomy"
	"stigmergy/handlers/batch"
	"stigmergy/handlers/board"
	"stigmergy/handlers/exemplar"
	"stigmergy/handlers/followup"
	"stigmergy/handlers/plan"
	"stigmergy/handlers/sign"
)

// New is the fold of a board: every handler, in the order in which events go
// to them.
func New() (*handlers.Machine, error) {
	reg, err := handlers.NewRegistry(board.New(), audit.New(), plan.New(), autonomy.New(), batch.New(), followup.New(), exemplar.New(), sign.New())
	if err != nil {
		return nil, fmt.Errorf("listing the handlers: %w", err)
	}
	return handlers.New(reg), nil
}
