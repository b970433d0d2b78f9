package cli

import (
	"os"

	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/daemon"
)

// openEngine finds the board and opens the one engine that reads it.
func (a *app) openEngine() (*query.Engine, layout.Layout, error) {
	l, err := a.board()
	if err != nil {
		return nil, l, err
	}
	e, err := a.engine(l)
	return e, l, err
}

// engine is the engine of a board, with what this process knows better.
func (a *app) engine(l layout.Layout) (*query.Engine, error) {
	return query.Open(l, query.Options{
		Rules:  a.rules(l),
		Daemon: func() bool { return daemon.Held(l) },
		Watch:  func() (query.Watcher, error) { return lanes.NewDirWatch() },
		Now:    a.now,
	})
}

// rules gives the contracts and the policy in force, when they are needed.
func (a *app) rules(l layout.Layout) func() (*contracts.Checker, *contracts.Policy, error) {
	return func() (*contracts.Checker, *contracts.Policy, error) {
		s, err := a.someSettings(l)
		if err != nil {
			return nil, nil, err
		}
		reg, _, err := a.registry(l)
		if err != nil {
			return nil, nil, err
		}
		p, err := contracts.NewPolicy(s.Roles, s.PolicyForeignOwned, uint32(os.Getuid()), userName)
		return &contracts.Checker{Registry: reg, MaxLine: int(s.MaxLine), UnknownTopics: s.UnknownTopics}, p, badUse(err)
	}
}
