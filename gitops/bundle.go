package gitops

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

// ProofRoot is where bundles go, below the repository's top.
const ProofRoot = "artifacts/proofs"

// The files of a bundle.
const (
	ReceiptFile     = "gitops_receipt.json"
	LogFile         = "run.log"
	ConfigFile      = "batches.json" // the configuration as it was
	ExemplarFile    = "exemplar.json"
	AttestationFile = "attestation.jsonl"
	ChecksumFile    = "checksums.sha256" // for `sha256sum -c`
	RunIDFile       = "run_id.txt"
	ProofDirFile    = "proof_dir.txt"
)

// bundleTime is how a bundle's name writes its second.
const bundleTime = "20060102T150405Z"

// makeBundle makes the folder of a new run, which nobody else has: if the
// second is taken, the next one.
func makeBundle(top, root, scope string, at time.Time) (rel string, err error) {
	if err := makeFolders(top, root); err != nil {
		return "", fmt.Errorf("making the proof bundle: %w", err)
	}
	for i := range 100_000 {
		name := "gitops_" + at.UTC().Add(time.Duration(i)*time.Second).Format(bundleTime) + "__" + scope
		rel = root + "/" + name
		err = os.Mkdir(filepath.Join(top, filepath.FromSlash(rel)), 0o777)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return "", fmt.Errorf("making the proof bundle: %w", err)
	}
	return rel, nil
}

// makeFolders makes folders below top, and follows no link on the way.
func makeFolders(top, rel string) error {
	dir := top
	for _, part := range strings.Split(rel, "/") {
		dir = filepath.Join(dir, part)
		err := os.Mkdir(dir, 0o777)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		fi, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if !fi.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("expected a plain folder, found something else")}
		}
	}
	return nil
}

// writeFile makes a file whole or not at all, and returns once it is on disk.
func writeFile(path string, data []byte) error { return replace(path, data, true) }

// placeFile is writeFile for what is written again, or synced with others, before
// the run is over: a killed run leaves it whole, lost power may leave an older one.
func placeFile(path string, data []byte) error { return replace(path, data, false) }

func replace(path string, data []byte, sync bool) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if sync {
		if err = f.Sync(); err != nil {
			return err
		}
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	if err = f.Close(); err != nil || !sync {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder brings what is in a folder, or in a file, to disk.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncBundle brings a bundle to disk: its files, all at once, then the folders
// in which their names and its own stand.
func syncBundle(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("bringing the bundle to disk: %w", err)
	}
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, e := range list {
		if e.Type().IsRegular() {
			all.Go(func() { errs[i] = syncFolder(filepath.Join(dir, e.Name())) })
		}
	}
	all.Wait()
	if err := errors.Join(append(errs, syncFolder(dir), syncFolder(filepath.Dir(dir)))...); err != nil {
		return fmt.Errorf("bringing the bundle to disk: %w", err)
	}
	return nil
}

// hashFile is a file's SHA-256 and length.
func hashFile(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// hashes are those of the named files that there are.
func hashes(dir string, names ...string) ([]FileHash, error) {
	out := []FileHash{}
	for _, n := range names {
		sum, size, err := hashFile(filepath.Join(dir, n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("hashing the bundle: %w", err)
		}
		out = append(out, FileHash{Path: n, SHA256: sum, Bytes: size})
	}
	return out, nil
}

// checksums writes checksums.sha256 over every other file of a bundle.
func checksums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("writing the checksums: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != ChecksumFile && e.Name()[0] != '.' {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	list, err := hashes(dir, names...)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, f := range list {
		fmt.Fprintf(&text, "%s  %s\n", f.SHA256, f.Path)
	}
	if err := placeFile(filepath.Join(dir, ChecksumFile), []byte(text.String())); err != nil {
		return fmt.Errorf("writing the checksums: %w", err)
	}
	return nil
}
