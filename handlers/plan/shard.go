package plan

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"stigmergy/contracts"
	spec "stigmergy/contracts/plan"
)

// chunk is a chunk of the CAS, its shards found but not parsed.
type chunk struct {
	raw    []byte
	starts []int32 // of each line
	ids    []uint64
	sums   [][32]byte
}

func parseChunk(raw []byte) (any, int, error) {
	c := &chunk{raw: raw}
	for off := 0; off < len(raw); {
		end := bytes.IndexByte(raw[off:], '\n')
		if end < 0 {
			end = len(raw) - off
		}
		line := raw[off : off+end]
		var sum [32]byte
		text := contracts.GetString(line, "sha256")
		if n, err := hex.Decode(sum[:], []byte(text)); err != nil || n != len(sum) {
			return nil, 0, fmt.Errorf("byte %d: expected a shard with its sha256, found %.80q", off, line)
		}
		c.starts = append(c.starts, int32(off))
		c.ids = append(c.ids, prefix(sum))
		c.sums = append(c.sums, sum)
		off += end + 1
	}
	return c, len(raw) + 44*len(c.ids), nil
}

// prefix is a cas_id as a number.
func prefix(sum [32]byte) (id uint64) {
	for _, b := range sum[:8] {
		id = id<<8 | uint64(b)
	}
	return id
}

func (c *chunk) line(i int) []byte {
	end := len(c.raw)
	if i+1 < len(c.starts) {
		end = int(c.starts[i+1])
	}
	return c.raw[c.starts[i]:end]
}

func (c *chunk) shard(i int) (*spec.Shard, error) {
	s := new(spec.Shard)
	return s, json.Unmarshal(c.line(i), s)
}

// parent is the cas_id of the shard that one is a part of, or "".
func (c *chunk) parent(i int) string { return contracts.GetString(c.line(i), "parent_cas_id") }

// find is where a cas_id stands in the chunk, or -1.
func (c *chunk) find(id uint64) int {
	i := sort.Search(len(c.ids), func(i int) bool { return c.ids[i] >= id })
	if i < len(c.ids) && c.ids[i] == id {
		return i
	}
	return -1
}

// chunkRef names a chunk in the CAS.
type chunkRef = spec.Chunk

// place is a shard: where it stands.
type place struct {
	chunk string // SHA-256
	c     *chunk
	first int // number of the chunk's first shard
	i     int // in the chunk
}

func (pl place) sum() [32]byte { return pl.c.sums[pl.i] }
func (pl place) cas() string   { return hex.EncodeToString(pl.c.sums[pl.i][:8]) }

func (c *call) chunk(sha256 string) *chunk { return c.tx.Object(sha256, "chunk", parseChunk).(*chunk) }

// eachChunk gives the chunks of a stage, those of parts behind the others,
// until fn returns false.
func (c *call) eachChunk(p *planRec, stage int, fn func(first int, ch chunkRef) bool) {
	first := 0
	for _, ch := range c.manifest(p).Stages[stage].Chunks {
		if !fn(first, ch) {
			return
		}
		first += ch.Shards
	}
	c.tx.Range("k/"+stageKey(p.N, stage)+"/", func(key, value string) bool {
		sha, n, _ := strings.Cut(value, " ")
		shards, _ := strconv.Atoi(n)
		return fn(numbers(key, 1)[0], chunkRef{SHA256: sha, Shards: shards})
	})
}

// at is where a shard stands.
func (c *call) at(p *planRec, stage, shard int) (pl place) {
	c.eachChunk(p, stage, func(first int, ch chunkRef) bool {
		if shard >= first+ch.Shards {
			return true
		}
		pl = place{ch.SHA256, c.chunk(ch.SHA256), first, shard - first}
		return false
	})
	if pl.c == nil || pl.i >= len(pl.c.ids) {
		panic(fmt.Sprintf("plan %s has no shard %d in stage %d", p.ID, shard, stage))
	}
	return pl
}

// lookup is the number of a shard by its cas_id. A shard that was split and one
// of its parts never have the same.
func (c *call) lookup(p *planRec, stage int, casID string) (shard int, ok bool) {
	id, err := strconv.ParseUint(casID, 16, 64)
	if err != nil || len(casID) != spec.CASIDLen {
		return 0, false
	}
	chunks := c.manifest(p).Stages[stage].Chunks
	base := 0
	for i, ch := range chunks {
		if i+1 == len(chunks) || chunks[i+1].First > casID {
			if at := c.chunk(ch.SHA256).find(id); at >= 0 {
				return base + at, true
			}
			break
		}
		base += ch.Shards
	}
	c.tx.Range("k/"+stageKey(p.N, stage)+"/", func(key, value string) bool {
		sha, _, _ := strings.Cut(value, " ")
		if at := c.chunk(sha).find(id); at >= 0 {
			shard, ok = numbers(key, 1)[0]+at, true
		}
		return !ok
	})
	return shard, ok
}

// stageNamed is a stage's number by its id, or -1.
func (c *call) stageNamed(p *planRec, id string) int {
	for i := range c.manifest(p).Stages {
		if c.manifest(p).Stages[i].StageID == id {
			return i
		}
	}
	return -1
}

// What came of a shard.
const (
	shardPending   = iota // nothing yet, or it is to be tried again
	shardDone             // it ran
	shardCached           // its output was there
	shardFailed           // finally
	shardReplaced         // its parts stand for it
	shardReplayed         // it is to be created again
	shardSplitting        // its parts are being made
	shardHit              // its output was there, which is not published yet
)

// outcome is what came of a shard, how many attempts it has had, and its output.
type outcome struct {
	state   byte
	attempt int
	digest  [32]byte
}

const (
	perBlock    = 16
	perShard    = 1 + 2 + 32
	maxAttempts = 1<<16 - 1
)

func (o *outcome) done() bool {
	return o.state == shardDone || o.state == shardCached || o.state == shardHit
}

// ended tells that the shard is done or has failed, and that it may be replayed.
func (o *outcome) ended() bool {
	return (o.done() || o.state == shardFailed) && o.state != shardHit && o.attempt < maxAttempts
}

func blockKey(plan, stage, shard int) string {
	return fmt.Sprintf("o/%06x/%03x/%05x", plan, stage, shard/perBlock)
}

func (c *call) outcome(plan, stage, shard int) (o outcome) {
	v, _ := c.tx.Get(blockKey(plan, stage, shard))
	at := shard % perBlock * perShard
	if len(v) < at+perShard {
		return o
	}
	o.state = v[at]
	o.attempt = int(v[at+1])<<8 | int(v[at+2])
	copy(o.digest[:], v[at+3:])
	return o
}

func (c *call) setOutcome(plan, stage, shard int, o outcome) {
	key := blockKey(plan, stage, shard)
	v, _ := c.tx.Get(key)
	at := shard % perBlock * perShard
	b := make([]byte, max(len(v), at+perShard))
	copy(b, v)
	b[at] = o.state
	b[at+1], b[at+2] = byte(o.attempt>>8), byte(o.attempt)
	copy(b[at+3:], o.digest[:])
	c.tx.Put(key, string(b))
}

// memoKey is where it is kept where a description's work was done last.
func memoKey(sum [32]byte) string { return "m/" + base64.RawURLEncoding.EncodeToString(sum[:12]) }

func (c *call) remember(pl place, plan, stage, shard int) {
	c.tx.Put(memoKey(pl.sum()), strconv.FormatInt(int64(plan), 36)+"."+strconv.FormatInt(int64(stage), 36)+"."+strconv.FormatInt(int64(shard), 36))
}

// memo is where that was: plan, stage and shard.
func (c *call) memo(sum [32]byte) (at [3]int, ok bool) {
	v, ok := c.tx.Get(memoKey(sum))
	for i, w := range strings.SplitN(v, ".", 3) {
		n, _ := strconv.ParseInt(w, 36, 64)
		at[i] = int(n)
	}
	return at, ok
}

// known is the output of work that was done before.
func (c *call) known(sum [32]byte) (digest [32]byte, ok bool) {
	at, ok := c.memo(sum)
	if !ok {
		return digest, false
	}
	o := c.outcome(at[0], at[1], at[2])
	if !o.done() {
		return digest, false
	}
	p := c.plan(at[0])
	if p == nil || c.at(p, at[1], at[2]).sum() != sum {
		return digest, false
	}
	return o.digest, true
}
