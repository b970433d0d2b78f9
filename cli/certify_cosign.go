package cli

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
)

type certifyCosign struct {
	URL     string        `arg:"" placeholder:"URL" help:"The witness's submission prefix, as https://witness.example/w1."`
	Witness []string      `placeholder:"VKEY" help:"The witness's verifier key, or @FILE; without one its word is kept unchecked, and that is said."`
	Timeout time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait for it."`
}

// Help says the rest.
func (certifyCosign) Help() string {
	return `Sends the newest checkpoint, with a proof that it continues what the witness saw last (c2sp.org/tlog-witness), and keeps the cosigned checkpoint in .stigmergy/cosigned/. A witness that is away or refuses changes nothing on the board: appends never wait for it.

Exit 75 if it cannot be reached or is busy, 1 if it refuses: it knows a newer board (rolled_back) or another history.`
}

// Run asks the witness.
func (c *certifyCosign) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return usage("asking a witness", "a URL, as https://witness.example/w1", c.URL, "stigmergy certify cosign --help")
	}
	keys, err := verifierKeys(c.Witness)
	if err != nil {
		return err
	}
	note, cp, err := newestNote(l)
	if err != nil {
		return err
	}
	lines, err := c.ask(a, l, note, cp)
	if err != nil {
		return err
	}
	return c.keep(a, l, note, lines, keys)
}

// ask sends the checkpoint; a witness that says what it saw last is asked once
// more, with the proof from there.
func (c *certifyCosign) ask(a *app, l layout.Layout, note []byte, cp seal.Checkpoint) ([]byte, error) {
	old := uint64(0)
	for range 2 {
		r, err := history.NewReader(l)
		if err != nil {
			return nil, err
		}
		proof, err := r.Consistency(old, cp.Size)
		if err != nil {
			return nil, fmt.Errorf("proving that the checkpoint continues one of size %d: %w", old, err)
		}
		var body bytes.Buffer
		fmt.Fprintf(&body, "old %d\n", old)
		for _, h := range proof {
			body.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
		}
		body.WriteByte('\n')
		body.Write(note)
		status, answer, err := c.post(a, body.Bytes())
		switch {
		case err != nil:
			return nil, &Fault{Doing: "asking the witness", Path: c.URL, Err: err, Try: "try again later: the board does not wait for it", Code: codeBusy}
		case status == http.StatusOK:
			return answer, nil
		case status != http.StatusConflict:
			return nil, c.refused(status, answer, cp)
		}
		size, err := strconv.ParseUint(strings.TrimSpace(string(answer)), 10, 63)
		if err != nil || size == old && size > 0 || size > cp.Size {
			return nil, c.conflict(size, err, cp)
		}
		old = size
	}
	return nil, &Fault{Doing: "asking the witness", Path: c.URL, Found: "that it says 409 again and again", Try: "try again later", Code: codeBusy}
}

func (c *certifyCosign) conflict(size uint64, err error, cp seal.Checkpoint) error {
	f := &Fault{Doing: "asking the witness", Path: c.URL, Try: "stigmergy verify --since CHECKPOINT, with a checkpoint that you kept", Code: codeNone}
	switch {
	case err != nil:
		f.Found, f.Expected, f.Code = "another answer", "a size with 409", codeBusy
	case size > cp.Size:
		f.Found = fmt.Sprintf("rolled_back: it cosigned this board at size %d, and the board's checkpoint is of size %d", size, cp.Size)
	default:
		f.Found = fmt.Sprintf("a fork: at size %d it knows another root", size)
	}
	return f
}

func (c *certifyCosign) refused(status int, answer []byte, cp seal.Checkpoint) error {
	f := &Fault{Doing: "asking the witness", Path: c.URL, Found: fmt.Sprintf("status %d: %s", status, clipText(answer)), Code: codeNone}
	switch status {
	case http.StatusNotFound:
		f.Expected, f.Try = "that it knows the origin "+cp.Origin, "give its operator the key: stigmergy certify key"
	case http.StatusForbidden:
		f.Expected, f.Try = "that it trusts the board's key", "give its operator the new key: stigmergy certify key"
	case http.StatusUnprocessableEntity:
		f.Expected, f.Try = "that it takes the consistency proof", "stigmergy verify"
	default:
		f.Code, f.Try = codeBusy, "try again later"
	}
	return f
}

// maxAnswer bounds what a witness may say.
const maxAnswer = 64 << 10

func (c *certifyCosign) post(a *app, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(a.ctx, http.MethodPost, strings.TrimRight(c.URL, "/")+"/add-checkpoint", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	client := &http.Client{Timeout: c.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = errors.New("it answers more than a witness has to say")
	}
	return resp.StatusCode, answer, err
}

// keep checks the witness's signatures and keeps the cosigned checkpoint.
func (c *certifyCosign) keep(a *app, l layout.Layout, note, lines []byte, witnesses []*seal.Verifier) error {
	known, err := history.Verifiers(l)
	if err != nil {
		return err
	}
	own, err := history.Trusted(known)
	if err != nil {
		return err
	}
	cosigned := append(bytes.Clone(note), lines...)
	cp, o, err := seal.OpenCheckpoint(cosigned, append(own, witnesses...)...)
	if err != nil {
		return &Fault{Doing: "checking the witness's signature", Path: c.URL, Err: err, Code: codeNone, Try: "check --witness"}
	}
	var names []string
	for i, k := range o.Signed {
		if k.Witness() {
			at, _ := seal.CosignedAt(o.Sigs[i])
			names = append(names, fmt.Sprintf("%s at %s", k.Name(), time.Unix(int64(at), 0).UTC().Format(time.RFC3339)))
		}
	}
	switch {
	case len(witnesses) > 0 && len(names) == 0:
		return &Fault{Doing: "checking the witness's signature", Path: c.URL, Expected: "a cosignature by --witness", Found: "none", Code: codeNone, Try: "check --witness"}
	case len(witnesses) == 0:
		a.note("stigmergy: warning: without --witness the cosignature is kept as it came, unchecked")
	}
	kept, err := history.KeepCosigned(l, nil, cp, note, lines)
	if err != nil {
		return err
	}
	if a.format() == "json" {
		return a.one(record{number("size", cp.Size), text("root", cp.RootBase64()), value("witnesses", names), text("path", kept.Path), text("note", string(kept.Note))})
	}
	_, err = a.out.Write(kept.Note)
	return err
}

// clipText is an answer's first line, for people.
func clipText(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if len(line) > 200 {
		line = line[:200] + "…"
	}
	return visible(strings.ToValidUTF8(line, "?"))
}
