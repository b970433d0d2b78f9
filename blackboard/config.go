package blackboard

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/settings"
	"stigmergy/contracts"
)

// recorded is a Config as it stands in the CAS: what a *config* entry names.
type recorded struct {
	V         int               `json:"v"`
	BoardID   string            `json:"board_id"`
	DaemonUID uint32            `json:"daemon_uid"`
	Settings  json.RawMessage   `json:"settings"`
	Builtin   string            `json:"builtin_contracts_sha256"`
	Contracts map[string]string `json:"contracts,omitempty"`
	Users     map[string]string `json:"users,omitempty"` // uid: name
}

// Fault is something wrong in a board's settings or contracts.
type Fault struct {
	Kind  string // bad_setting or bad_contract
	Path  string // relative to the board
	Topic string
	Err   error
}

func (f Fault) Error() string { return f.Err.Error() }

// Sources are what a configuration is made from beside the board's files.
type Sources struct {
	Environ []string
	Flags   map[string]string
	UID     uint32
}

// maxContract bounds a contract file; a larger one is a fault.
const maxContract = 1 << 20

// LoadConfig reads the board's settings and contracts. Faulty contracts are
// left out (prev's are kept for their topics) and told; faulty settings leave
// Config nil.
func LoadConfig(l layout.Layout, src Sources, prev *Config) (*Config, []byte, []Fault) {
	id, err := l.ID()
	if err != nil {
		return nil, nil, []Fault{{Kind: "bad_setting", Path: ".stigmergy/board_id", Err: err}}
	}
	var faults []Fault
	text, err := readSmall(l.Settings())
	if err != nil {
		return nil, nil, []Fault{{Kind: "bad_setting", Path: settings.FileName, Err: err}}
	}
	set, bad := settings.Load(text, src.Environ, src.Flags)
	for _, f := range bad {
		faults = append(faults, Fault{Kind: "bad_setting", Path: settings.FileName, Err: f})
	}
	if len(bad) > 0 {
		return nil, nil, faults
	}
	files, unread := readContracts(l)
	faults = append(faults, unread...)
	for _, f := range unread {
		keepPrevious(files, f.Topic, prev)
	}
	reg, refused := contracts.Builtin().With(files)
	for _, f := range refused {
		faults = append(faults, contractFault(f))
		keepPrevious(files, f.Topic, prev)
	}
	if len(refused) > 0 {
		reg, _ = contracts.Builtin().With(files)
	}
	r := recorded{V: 1, BoardID: id, DaemonUID: src.UID, Settings: set.Canonical(), Builtin: builtinSum(), Users: usersOf(set)}
	r.Contracts = map[string]string{}
	for topic, text := range reg.Text() {
		r.Contracts[topic] = string(text)
	}
	c, canonical, err := r.config(set, reg)
	if err != nil {
		return nil, nil, append(faults, Fault{Kind: "bad_setting", Path: settings.FileName, Err: err})
	}
	return c, canonical, faults
}

func contractFault(f contracts.ContractFault) Fault {
	where := ""
	if f.Line > 0 {
		where = fmt.Sprintf(" at line %d, column %d", f.Line, f.Column)
	}
	return Fault{Kind: "bad_contract", Path: contractPath(f.Topic), Topic: f.Topic,
		Err: fmt.Errorf("reading the contract %s%s: %s", contractPath(f.Topic), where, f.Error)}
}

func contractPath(topic string) string { return "contracts/" + topic + contractExt }

const contractExt = ".schema.json"

func keepPrevious(files map[string][]byte, topic string, prev *Config) {
	delete(files, topic)
	if prev == nil {
		return
	}
	if old, ok := prev.Registry.Text()[topic]; ok {
		files[topic] = old
	}
}

func (r recorded) config(set *settings.Settings, reg *contracts.Registry) (*Config, []byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, nil, fmt.Errorf("recording the settings: %w", err)
	}
	sum := sha256.Sum256(text)
	return &Config{
		BoardID: r.BoardID, DaemonUID: r.DaemonUID, SHA256: hex.EncodeToString(sum[:]),
		Settings: set, Registry: reg,
		Checker: &contracts.Checker{Registry: reg, MaxLine: int(set.MaxLine), UnknownTopics: set.UnknownTopics},
		Users:   func(uid uint32) string { return r.Users[strconv.FormatUint(uint64(uid), 10)] },
	}, text, nil
}

// ErrOtherBuild says that a board must first be brought up by another build.
var ErrOtherBuild = errors.New("another build is needed once")

// nothingAgain stands for a version where no line is folded a second time.
const nothingAgain = "\x00"

// configFrom makes the configuration that a config entry recorded. Where the
// board's contracts were checked by built-in ones that this build does not
// have, what they decided cannot be decided again; with nothingAgain for a
// version, nothing is, and the settings go on with this build's contracts.
func configFrom(text []byte, version string) (*Config, error) {
	var r recorded
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("reading a recorded configuration: %w", err)
	}
	if r.Builtin != builtinSum() && version != nothingAgain {
		return nil, fmt.Errorf("refolding what was taken in with the built-in contracts of version %s: this build has others: run that version's `stigmergy up --once` and try again: %w", version, ErrOtherBuild)
	}
	set, err := settings.FromCanonical(r.Settings)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for topic, text := range r.Contracts {
		files[topic] = []byte(text)
	}
	reg, bad := contracts.Builtin().With(files)
	if len(bad) > 0 {
		return nil, fmt.Errorf("reading a recorded configuration: contract %s: %s: %w", bad[0].Topic, bad[0].Error, ErrOtherBuild)
	}
	c, _, err := r.config(set, reg)
	return c, err
}

// builtinSum names the built-in contracts: the SHA-256 over topic, NUL, text,
// NUL in the order of the topics.
func builtinSum() string {
	h := sha256.New()
	for _, t := range contracts.Builtin().Topics() {
		h.Write([]byte(t.Name + "\x00"))
		h.Write(t.Schema)
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// usersOf resolves the users that roles name, so that the fold need not ask.
func usersOf(s *settings.Settings) map[string]string {
	out := map[string]string{}
	for _, role := range s.Roles {
		for _, name := range role.Users {
			if u, err := user.Lookup(name); err == nil {
				out[u.Uid] = name
			}
		}
	}
	return out
}

func readContracts(l layout.Layout) (map[string][]byte, []Fault) {
	files := map[string][]byte{}
	des, err := os.ReadDir(l.Contracts())
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	if err != nil {
		return files, []Fault{{Kind: "bad_contract", Path: "contracts", Err: fmt.Errorf("reading the board's contracts: %w", err)}}
	}
	var faults []Fault
	for _, d := range des {
		topic, ok := strings.CutSuffix(d.Name(), contractExt)
		if !ok {
			continue
		}
		text, err := readSmall(filepath.Join(l.Contracts(), d.Name()))
		if err != nil {
			faults = append(faults, Fault{Kind: "bad_contract", Path: contractPath(topic), Topic: topic, Err: err})
			continue
		}
		files[topic] = text
	}
	return files, faults
}

// readSmall reads a regular file of at most maxContract bytes; one that is not
// there is empty.
func readSmall(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("reading %s: it is not a regular file", path), err)
	}
	if fi.Size() > maxContract {
		return nil, fmt.Errorf("reading %s: it has %d bytes, at most %d are read", path, fi.Size(), maxContract)
	}
	b := make([]byte, fi.Size())
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		err = nil
	}
	return b[:n], err
}
