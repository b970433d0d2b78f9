package exemplars

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"stigmergy/contracts"
)

// HashSources hashes files below root, in the order of paths. root comes from
// os.OpenRoot: no path and no link leads out of it.
func HashSources(ctx context.Context, root *os.Root, paths []string) ([]SourceHash, error) {
	out := make([]SourceHash, 0, len(paths))
	for _, path := range paths {
		sum, n, err := hashFile(ctx, root, path, -1)
		if err != nil {
			return nil, fmt.Errorf("hashing source %s: %w", path, err)
		}
		out = append(out, SourceHash{Path: path, SHA256: sum, Bytes: n})
	}
	return out, nil
}

// errSize is a file of another size than it should have: not read at all.
var errSize = errors.New("another size")

// hashFile hashes a regular file, waiting for no pipe's writer. With want ≥ 0
// one of another size is not read: errSize.
func hashFile(ctx context.Context, root *os.Root, path string, want int64) (sum string, n int64, err error) {
	f, err := root.OpenFile(filepath.FromSlash(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	fi, err := f.Stat()
	switch {
	case err != nil:
		return "", 0, err
	case !fi.Mode().IsRegular():
		return "", 0, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	case want >= 0 && fi.Size() != want:
		return "", fi.Size(), errSize
	}
	h := sha256.New()
	n, err = io.Copy(h, &checked{ctx, f})
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// checked is a reader that ends with its context.
type checked struct {
	ctx context.Context
	r   io.Reader
}

// Read reads on while the context lasts.
func (c *checked) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// CheckSources holds every source to its hash. What does not match is a
// Refusal that names the path; what could not be found out is another error.
// Nothing is told of a file but its size: whoever may post a packet may not
// learn what stands where.
func CheckSources(ctx context.Context, root *os.Root, packet []byte) error {
	var bad []contracts.FieldError
	var failed error
	i := -1
	contracts.Elements(contracts.Lookup(packet, "source_hashes").Raw, func(v contracts.Value) bool {
		i++
		path := contracts.GetString(v.Raw, "path")
		want := contracts.GetString(v.Raw, "sha256")
		size, _ := contracts.GetInt(v.Raw, "bytes")
		fault := contracts.FieldError{
			Pointer: "/data/source_hashes/" + strconv.Itoa(i), Keyword: "sha256",
			Expected: fmt.Sprintf("%s with %d bytes and SHA-256 %s", path, size, want),
		}
		sum, n, err := hashFile(ctx, root, path, size)
		switch {
		case ctx.Err() != nil:
			failed = ctx.Err()
			return false
		case err == nil && sum == want && n == size:
			return true
		case err == nil && n == size:
			fault.Got, fault.Hint = "another content of that size", "the file was changed since the packet was made: make the packet anew"
		case err == nil, errors.Is(err, errSize):
			fault.Got, fault.Hint = fmt.Sprintf("%d bytes", n), "the file was changed since the packet was made: make the packet anew"
		case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
			failed = fmt.Errorf("checking source %s: %w", path, err)
			return false
		default:
			fault.Keyword, fault.Got = "path", reason(err)
			fault.Hint = "paths are relative to root (setting root, by default the folder that holds the board) and stay below it"
		}
		bad = append(bad, fault)
		return len(bad) < contracts.MaxErrors
	})
	if failed != nil {
		return failed
	}
	if len(bad) > 0 {
		return &Refusal{Reason: "bad_parameter", Errors: bad}
	}
	return nil
}

// reason is an error of the file system without its path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
