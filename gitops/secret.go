package gitops

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// shape is how a kind of secret looks. One of the literals stands in every one
// of them: lines without are not looked at twice.
type shape struct {
	name     string
	literals [][]byte
	re       *regexp.Regexp
}

// shapes are the kinds of secrets that the built-in gate knows: those that
// begin with a mark of their own, so that prose and hashes are no secrets.
func shapes() []shape {
	var out []shape
	for _, s := range [][3]string{
		{"private key", "PRIVATE KEY", `-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----`},
		{"age secret key", "AGE-SECRET-KEY-1", `AGE-SECRET-KEY-1[0-9A-Z]{58}`},
		{"AWS access key", "AKIA", `\bAKIA[0-9A-Z]{16}\b`},
		{"AWS temporary key", "ASIA", `\bASIA[0-9A-Z]{16}\b`},
		{"AWS secret key", "aws_secret_access_key|AWS_SECRET_ACCESS_KEY", `(?i)aws_secret_access_key["']?\s*[:=]\s*["']?[0-9A-Za-z/+]{40}\b`},
		{"GitHub token", "ghp_|gho_|ghu_|ghs_|ghr_", `\bgh[pousr]_[0-9A-Za-z]{36,}`},
		{"GitHub token", "github_pat_", `\bgithub_pat_[0-9A-Za-z_]{40,}`},
		{"GitLab token", "glpat-", `\bglpat-[0-9A-Za-z_-]{20,}`},
		{"Slack token", "xox", `\bxox[abeoprs]-[0-9A-Za-z-]{10,}`},
		{"Slack webhook", "hooks.slack.com", `hooks\.slack\.com/services/T[0-9A-Za-z]+/B[0-9A-Za-z]+/[0-9A-Za-z]{16,}`},
		{"Google API key", "AIza", `\bAIza[0-9A-Za-z_-]{35}`},
		{"Stripe key", "_live_", `\b[rs]k_live_[0-9A-Za-z]{20,}`},
		{"npm token", "npm_", `\bnpm_[0-9A-Za-z]{36}\b`},
		{"PyPI token", "pypi-", `\bpypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{40,}`},
		{"API key", "sk-", `\bsk-(?:ant-|proj-)?[0-9A-Za-z_-]{32,}`},
		{"SendGrid key", "SG.", `\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}\b`},
		{"JSON web token", "eyJ", `\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{20,}`},
		{"password in a URL", "://", `\b[a-z][a-z0-9+.-]*://[^\s/:@"']+:[^\s/:@"'{}$<>*]{6,}@[^\s"']`},
	} {
		k := shape{name: s[0], re: regexp.MustCompile(s[2])}
		for _, l := range strings.Split(s[1], "|") {
			k.literals = append(k.literals, []byte(l))
		}
		out = append(out, k)
	}
	return out
}

// maxFindings bounds what one batch is told.
const maxFindings = 50

// longLine is how much of a line is looked at in one piece.
const longLine = 64 << 10

// secrets looks for what is shaped like a secret in what a batch would add. It
// tells path, line and kind, never the secret. What stood in the file before
// is not found again.
func (r *repo) secrets(changes []Change) ([]string, error) {
	kinds, buf := shapes(), make([]byte, wholeFile-1)
	hits := make([][]hit, len(changes))
	var ask []int // what git must be asked for
	var in strings.Builder
	for i, c := range changes {
		if c.Mode != "100644" && c.Mode != "100755" && c.Mode != "120000" {
			continue
		}
		var known bool
		if hits[i], known = scanStaged(filepath.Join(r.top, c.Path), c.Blob, kinds, buf); !known {
			ask = append(ask, i)
			in.WriteString(c.Blob + "\n")
		}
	}
	if len(ask) > 0 {
		err := r.blobs(in.String(), func(k int, text io.Reader) (err error) {
			hits[ask[k]], err = scanFile(text, kinds)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var found []string
	for i, c := range changes {
		for _, h := range hits[i] {
			if c.OldBlob != "" && len(c.OldBlob) == len(c.Blob) && r.had(c.OldBlob, h.text) {
				continue
			}
			if len(found) < maxFindings {
				found = append(found, fmt.Sprintf("%s:%d: %s", printable(c.Path), h.line, h.kind))
			}
		}
	}
	return found, nil
}

// scanStaged looks at a file of the working tree in its blob's place, which is
// cheaper. Only if it hashes to the blob's name is it the same, and known.
func scanStaged(path, blob string, kinds []shape, buf []byte) (hits []hit, known bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > int64(len(buf)) {
		return nil, false
	}
	text := buf[:fi.Size()]
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, false
	}
	sum := sha1.New() // git's name of a blob; nothing is trusted to it that git does not trust to it
	if len(blob) == 2*sha256.Size {
		sum = sha256.New()
	}
	fmt.Fprintf(sum, "blob %d\x00", len(text))
	sum.Write(text)
	if hex.EncodeToString(sum.Sum(nil)) != blob {
		return nil, false
	}
	hits, err = scanText(text, kinds)
	return hits, err == nil
}

// blobs streams objects through fn, in the order in which they are named.
func (r *repo) blobs(names string, fn func(i int, text io.Reader) error) (err error) {
	cmd := exec.Command("git", append(r.guards(), "cat-file", "--batch", "--buffer")...)
	cmd.Dir, cmd.Env = r.top, r.environ
	cmd.Stdin = strings.NewReader(names)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("running git cat-file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = cmd.Process.Kill() // nobody reads it any more
		}
		if werr := cmd.Wait(); err == nil && werr != nil {
			err = fmt.Errorf("running git cat-file: %w", werr)
		}
	}()
	in := bufio.NewReaderSize(out, 128<<10)
	for i := 0; ; i++ {
		head, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) && head == "" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading git cat-file: %w", err)
		}
		cols := strings.Fields(head)
		size := int64(-1)
		if len(cols) == 3 {
			size, _ = strconv.ParseInt(cols[2], 10, 64)
		}
		if size < 0 {
			return fmt.Errorf("reading git cat-file: %q", strings.TrimSpace(head))
		}
		body := &io.LimitedReader{R: in, N: size}
		if err := fn(i, body); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return err
		}
		if _, err := in.Discard(1); err != nil {
			return err
		}
	}
}

// had tells whether a blob holds a text.
func (r *repo) had(blob, text string) bool {
	old, err := r.run(call{args: []string{"cat-file", "blob", blob}, quiet: true})
	return err == nil && bytes.Contains(old, []byte(text))
}

// hit is one thing shaped like a secret.
type hit struct {
	line int
	kind string
	text string // never shown
}

// wholeFile is how much of a file is looked at in one piece first.
const wholeFile = 1 << 20

// scanFile is scan for files that nearly all hold nothing: one that has none of
// the literals is not cut into lines.
func scanFile(text io.Reader, kinds []shape) ([]hit, error) {
	head, err := io.ReadAll(io.LimitReader(text, wholeFile))
	if err != nil {
		return nil, fmt.Errorf("reading a file to be committed: %w", err)
	}
	if len(head) < wholeFile {
		return scanText(head, kinds)
	}
	return scan(io.MultiReader(bytes.NewReader(head), text), kinds)
}

// scanText is scanFile for a whole file.
func scanText(text []byte, kinds []shape) ([]hit, error) {
	if !slices.ContainsFunc(kinds, func(k shape) bool { return k.in(text) }) {
		return nil, nil
	}
	return scan(bytes.NewReader(text), kinds)
}

func (k shape) in(text []byte) bool {
	return slices.ContainsFunc(k.literals, func(l []byte) bool { return bytes.Contains(text, l) })
}

// scan reads a text line by line, in pieces of bounded length that overlap.
func scan(text io.Reader, kinds []shape) ([]hit, error) {
	in := bufio.NewReaderSize(text, longLine)
	var hits []hit
	line := 1
	var before []byte
	for {
		piece, err := in.ReadSlice('\n')
		look := piece
		if len(before) > 0 {
			look = append(before, piece...)
		}
		hits = append(hits, lookAt(look, line, kinds)...)
		before = nil
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			before = bytes.Clone(piece[len(piece)-1024:])
		case errors.Is(err, io.EOF):
			return hits, nil
		case err != nil:
			return hits, fmt.Errorf("reading a file to be committed: %w", err)
		default:
			line++
		}
		if len(hits) > 2*maxFindings {
			_, err := io.Copy(io.Discard, in)
			return hits, err
		}
	}
}

func lookAt(piece []byte, line int, kinds []shape) []hit {
	var out []hit
	for _, k := range kinds {
		if !k.in(piece) {
			continue
		}
		for _, m := range k.re.FindAll(piece, 4) {
			out = append(out, hit{line, k.name, string(m)})
		}
	}
	return out
}
