package gitops

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stigmergy/contracts/exemplar"
)

// Finding is one thing that was checked.
type Finding struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, failed, or unchecked
	Detail string `json:"detail,omitempty"`
}

// The results of a check.
const (
	CheckOK        = "ok"
	CheckFailed    = "failed"
	CheckUnchecked = "unchecked" // it cannot be said here; why stands in the detail
)

// Verdict is what a bundle was found to be.
type Verdict struct {
	Bundle   string    `json:"bundle"`
	OK       bool      `json:"ok"`
	RunID    string    `json:"run_id"`
	Outcome  string    `json:"outcome"`
	Findings []Finding `json:"findings"`

	receipt *Receipt
	origin  bool
	dir     string
}

func (v *Verdict) ok(check, format string, args ...any) {
	v.Findings = append(v.Findings, Finding{check, CheckOK, fmt.Sprintf(format, args...)})
}

func (v *Verdict) failed(check, format string, args ...any) {
	v.OK = false
	v.Findings = append(v.Findings, Finding{check, CheckFailed, printable(fmt.Sprintf(format, args...))})
}

func (v *Verdict) unchecked(check, format string, args ...any) {
	v.Findings = append(v.Findings, Finding{check, CheckUnchecked, fmt.Sprintf(format, args...)})
}

// VerifyOptions are what a verification is given.
type VerifyOptions struct {
	Repo    string // a folder of the working tree with the commits
	Environ []string
	// Signature checks an attestation's signature over its signed bytes; nil:
	// no key is known.
	Signature func(keyID string, signed, sig []byte) error
}

// Verify checks a bundle: its receipt by its contract, every byte by its hash,
// every commit by what it holds. Nothing is asked of any network. An error is
// a bundle that cannot be read at all.
func Verify(dir string, opt VerifyOptions) (*Verdict, error) {
	v := &Verdict{Bundle: dir, OK: true, dir: dir}
	text, err := readBundleFile(dir, ReceiptFile)
	if err != nil {
		return nil, fmt.Errorf("reading the bundle: %w", err)
	}
	v.receipt, v.origin, err = ReadReceipt(filepath.Join(dir, ReceiptFile), text)
	var faults Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			v.failed("contract", "%s", f.Error())
		}
		v.checksums()
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v.RunID, v.Outcome = v.receipt.RunID, v.receipt.Outcome
	if v.origin {
		v.ok("contract", "the origin's shape")
	} else {
		v.ok("contract", "gitops_receipt.v1")
	}
	v.finished()
	v.layout()
	v.checksums()
	v.files()
	v.packet(text)
	v.attested(text, opt)
	v.commits(opt)
	return v, nil
}

// maxBundleFile bounds what is read of a bundle.
const maxBundleFile = 256 << 20

func readBundleFile(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxBundleFile {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("expected a regular file of moderate size")}
	}
	return os.ReadFile(path)
}

func (v *Verdict) finished() {
	if v.receipt.State == Done {
		v.ok("finished", "")
		return
	}
	v.failed("finished", "the run was never finished: the next stigmergy gitops run in its repository finishes it")
}

// layout checks names: of the folder, and what the small files say.
func (v *Verdict) layout() {
	abs, err := filepath.Abs(v.dir)
	name := filepath.Base(abs)
	if err != nil || !bundleName().MatchString(name) {
		v.failed("layout", "expected a folder named gitops_YYYYMMDDThhmmssZ__SCOPE, found %q", name)
		return
	}
	r := v.receipt
	if !v.origin && filepath.Base(r.ProofDir) != name {
		v.failed("layout", "the receipt's proof_dir is %q, the folder is named %q", r.ProofDir, name)
		return
	}
	for file, want := range map[string]string{RunIDFile: r.RunID, ProofDirFile: r.ProofDir} {
		text, err := readBundleFile(v.dir, file)
		switch {
		case errors.Is(err, fs.ErrNotExist) && v.origin:
		case err != nil:
			v.failed("layout", "%v", err)
			return
		case v.origin && file == ProofDirFile: // absolute there
		case strings.TrimSpace(string(text)) != want:
			v.failed("layout", "%s says %q, the receipt %q", file, strings.TrimSpace(string(text)), want)
			return
		}
	}
	if !v.origin && !strings.HasPrefix(r.RunID, name+".") {
		v.failed("layout", "the run_id %q does not begin with the folder's name", r.RunID)
		return
	}
	v.ok("layout", "%s", name)
}

// checksums checks checksums.sha256, and that it leaves no file out.
func (v *Verdict) checksums() {
	text, err := readBundleFile(v.dir, ChecksumFile)
	if errors.Is(err, fs.ErrNotExist) && v.origin {
		v.unchecked("checksums", "the bundle has none")
		return
	}
	if err != nil {
		v.failed("checksums", "%v", err)
		return
	}
	listed := map[string]bool{ChecksumFile: true}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		sum, name, ok := strings.Cut(line, "  ")
		if !ok || len(sum) != 64 || strings.ContainsAny(name, "/\\\x00") || name == "" || name == ".." {
			v.failed("checksums", "%s:%d: expected SHA-256, two spaces and the name of a file, found %q", ChecksumFile, i+1, clip(line))
			continue
		}
		listed[name] = true
		got, _, err := hashFile(filepath.Join(v.dir, name))
		switch {
		case err != nil:
			v.failed("checksums", "%v", err)
		case got != sum:
			v.failed("checksums", "%s was changed: expected SHA-256 %s, found %s", name, sum, got)
		}
	}
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		v.failed("checksums", "%v", err)
	}
	for _, e := range entries {
		if !listed[e.Name()] {
			v.failed("checksums", "%s stands in no checksum", e.Name())
		}
	}
	if v.last("checksums") {
		v.ok("checksums", "%d files", len(listed)-1)
	}
}

// last tells whether nothing of a check failed.
func (v *Verdict) last(check string) bool {
	for _, f := range v.Findings {
		if f.Check == check && f.Result == CheckFailed {
			return false
		}
	}
	return true
}

// files checks the hashes that the receipt itself carries.
func (v *Verdict) files() {
	if v.origin {
		v.unchecked("files", "the origin's receipts carry no hashes")
		return
	}
	have := map[string]bool{}
	for _, f := range v.receipt.Files {
		have[f.Path] = true
		if strings.ContainsAny(f.Path, "/\\\x00") || f.Path == ".." {
			v.failed("files", "%q is no file of a bundle", f.Path)
			continue
		}
		sum, size, err := hashFile(filepath.Join(v.dir, f.Path))
		switch {
		case err != nil:
			v.failed("files", "%v", err)
		case sum != f.SHA256 || size != f.Bytes:
			v.failed("files", "%s is not what the receipt says: expected %d bytes, SHA-256 %s, found %d, %s", f.Path, f.Bytes, f.SHA256, size, sum)
		}
	}
	for _, name := range []string{LogFile, ConfigFile, RunIDFile, ProofDirFile} {
		if !have[name] && v.receipt.State == Done {
			v.failed("files", "the receipt has no hash of %s", name)
		}
	}
	if text, err := readBundleFile(v.dir, ConfigFile); err == nil {
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != v.receipt.ConfigSHA {
			v.failed("files", "%s is not the configuration of the receipt's config_sha256", ConfigFile)
		}
	}
	if v.last("files") {
		v.ok("files", "%d", len(v.receipt.Files))
	}
}

// packet checks exemplar.json: its name, and that it is about this receipt.
func (v *Verdict) packet(receipt []byte) {
	text, err := readBundleFile(v.dir, ExemplarFile)
	if errors.Is(err, fs.ErrNotExist) && v.origin {
		v.unchecked("exemplar", "the bundle has none")
		return
	}
	if err != nil {
		v.failed("exemplar", "%v", err)
		return
	}
	var p struct {
		ID     string `json:"exemplar_id"`
		RunID  string `json:"run_id"`
		Answer string `json:"answer_sha256"`
	}
	id, _, err := exemplar.ID(bytes.TrimSpace(text))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	sum := sha256.Sum256(receipt)
	switch {
	case err != nil:
		v.failed("exemplar", "%v", err)
	case p.ID != id:
		v.failed("exemplar", "its exemplar_id is %q, its content's is %s", p.ID, id)
	case !v.origin && p.RunID != v.receipt.RunID:
		v.failed("exemplar", "it is about run %q", p.RunID)
	case p.Answer != hex.EncodeToString(sum[:]):
		v.failed("exemplar", "its answer_sha256 is not the receipt's")
	default:
		v.ok("exemplar", "%s", id)
	}
}

// commits checks that every commit exists and holds exactly what the receipt
// says.
func (v *Verdict) commits(opt VerifyOptions) {
	n := 0
	var r *repo
	for i := range v.receipt.Batches {
		b := &v.receipt.Batches[i]
		if b.CommitSHA == nil {
			continue
		}
		n++
		if r == nil {
			var err error
			if r, err = v.repository(opt); err != nil {
				v.failed("commits", "%v", err)
				return
			}
		}
		if why := r.holds(b, v.receipt.RunID, v.origin); why != "" {
			v.failed("commits", "batch %s: %s: %s", b.BatchID, short(*b.CommitSHA), why)
		}
	}
	if v.last("commits") {
		v.ok("commits", "%d", n)
	}
}

// repository is where the commits are looked for: the given working tree, or
// else the one that holds the bundle.
func (v *Verdict) repository(opt VerifyOptions) (*repo, error) {
	r, err := open(opt.Repo, opt.Environ, false, nil)
	if errors.Is(err, ErrNoRepository) {
		return open(v.dir, opt.Environ, false, nil)
	}
	return r, err
}

// holds tells how a commit differs from its receipt, or "".
func (r *repo) holds(b *BatchResult, runID string, origin bool) string {
	known, err := r.says("cat-file", "-e", *b.CommitSHA+"^{commit}")
	if err != nil || !known {
		return "no such commit here"
	}
	if origin {
		return "" // its paths are patterns
	}
	c, err := r.inspect(*b.CommitSHA)
	if err != nil {
		return err.Error()
	}
	if b.Tree == nil || c.tree != *b.Tree {
		return "it has another tree than tree_sha says"
	}
	parent, _ := r.line("rev-parse", "-q", "--verify", *b.CommitSHA+"^1^{commit}") // none: ""
	if parent != value(b.Parent) {
		return "it has another parent than parent_sha says"
	}
	want := byPath(b.Paths)
	for _, got := range c.changes {
		w, ok := want[got.Path]
		if !ok {
			return "it also changes " + got.Path
		}
		if w != got {
			return "it holds another " + got.Path
		}
		delete(want, got.Path)
	}
	for path := range want {
		return "it does not change " + path
	}
	text, err := r.line("show", "-s", "--format=%B", *b.CommitSHA)
	if err != nil || !strings.Contains(text, TrailerRun+": "+runID+"\n") || !strings.Contains(text+"\n", TrailerBatch+": "+b.BatchID+"\n") {
		return "its message has not the trailers of its run and batch"
	}
	return ""
}
