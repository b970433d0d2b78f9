package handlers

import (
	"errors"
	"fmt"
	"strconv"

	"stigmergy/blackboard"
	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
)

// Machine folds a board's journal. It implements blackboard.Fold and, like it,
// is used from one goroutine; only Current may be called from others.
type Machine struct {
	reg    *Registry
	config *blackboard.Config
	policy *contracts.Policy
	routes *routes
	check  contracts.Checker // for derived events: every size, any topic

	state *store
	cas   func(sha256 string) ([]byte, error)
	skips map[skipped]bool // failed once: not to be called again
	kept  kept
	watch watch

	// of the entry being folded
	entry   *journal.Entry
	time    string // its time, as derived events carry it
	step    blackboard.Step
	outs    map[string]*outLane
	touched []*outLane
	derived int // lines, in this entry
	calls   int // of timers and facts, in this entry
	chain   chain
	kids    []kid
	stage   stage
	err     error // what ends the fold: the CAS cannot be read
	scratch scratch
}

var _ blackboard.Fold = (*Machine)(nil)

// New is a machine without state. It is configured before its first entry.
func New(reg *Registry) *Machine {
	return &Machine{
		reg: reg, state: newStore(), skips: map[skipped]bool{}, outs: map[string]*outLane{},
		cas: func(string) ([]byte, error) { return nil, errors.New("the fold was given no CAS") },
	}
}

// Version is FoldVersion.
func (m *Machine) Version() int { return FoldVersion }

// CAS gives the fold the content-addressed store.
func (m *Machine) CAS(get func(sha256 string) ([]byte, error)) { m.cas = get }

// Configure puts settings and contracts in force, from the next entry on.
func (m *Machine) Configure(c *blackboard.Config) error {
	users := c.Users
	if users == nil {
		users = func(uint32) string { return "" }
	}
	p, err := contracts.NewPolicy(c.Settings.Roles, c.Settings.PolicyForeignOwned, c.DaemonUID, users)
	if err != nil {
		return fmt.Errorf("configuring the policy: %w", err)
	}
	m.config, m.policy = c, p
	m.check = contracts.Checker{Registry: c.Registry, UnknownTopics: "accept"}
	m.routes = compile(m.reg.units, c.Registry)
	return nil
}

// Apply folds one entry. The step, and what it points to, is valid until the
// next call. An error means that the fold cannot go on: the state is no longer
// that of any journal.
func (m *Machine) Apply(e *journal.Entry, b *blackboard.Batch) (*blackboard.Step, error) {
	if m.config == nil {
		return nil, fmt.Errorf("folding entry %d: no settings are in force yet", e.Seq)
	}
	m.begin(e)
	switch e.Kind {
	case journal.Input:
		m.input(b)
	case journal.Derived:
		return nil, fmt.Errorf("folding entry %d: derived lines are folded with their cause", e.Seq)
	case journal.Tick:
		m.tick()
	default:
		m.fact()
	}
	if m.err != nil {
		return nil, fmt.Errorf("folding entry %d: %w", e.Seq, m.err)
	}
	m.finish()
	return &m.step, nil
}

func (m *Machine) begin(e *journal.Entry) {
	m.resetOuts()
	m.state.begin()
	m.entry, m.time = e, journal.FormatTime(e.Time)
	m.step.Derived = m.step.Derived[:0]
	m.step.Started, m.step.Done, m.step.Skips = m.step.Started[:0], m.step.Done[:0], m.step.Skips[:0]
	m.derived, m.calls = 0, 0
	m.kids = m.kids[:0]
	for _, u := range m.reg.units {
		u.ticks = 0
	}
}

// fact folds an entry that is neither input nor tick.
func (m *Machine) fact() {
	e := m.entry
	switch {
	case e.Kind == journal.Owner:
		m.state.put(ownerKey+e.Lane, strconv.FormatUint(uint64(e.UID), 10))
	case e.Kind == journal.Cut:
		m.state.put(epochKey, strconv.FormatUint(e.PowerEpoch, 10))
	case (e.Kind == journal.Rotate || e.Kind == journal.Note) && e.Next != 0:
		m.SetHead(e.Lane, e.Next, 0)
	}
	from := m.factOrigin()
	m.chain = chain{}
	for _, u := range m.reg.units {
		if u.entry != nil {
			m.call(u, from, func(tx *Tx) { u.entry.Entry(tx, m.entry) })
		}
	}
	m.descend(0, 1)
	m.cut(from)
}

// Dump writes the state: all of it, or what changed since the last dump.
func (m *Machine) Dump(all bool, fn func(key string, value []byte, deleted bool) error) error {
	return m.state.dump(all, fn)
}

// Reset forgets the state, so that a dump can be put back.
func (m *Machine) Reset() {
	m.state, m.touched = newStore(), nil
	clear(m.outs)
}

// Load puts one key of a dump back, before the first entry.
func (m *Machine) Load(key, value []byte) { m.state.load(key, value) }

// Waiting is what handlers have decided and not derived yet.
func (m *Machine) Waiting() (list []blackboard.Waiting) {
	for _, u := range m.reg.units {
		if w, ok := u.Handler.(WaitingHandler); ok && m.config != nil {
			list = append(list, w.Waiting(&Tx{m: m, unit: u, from: &origin{}})...)
		}
	}
	return list
}
