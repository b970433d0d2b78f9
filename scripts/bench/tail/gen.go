package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// gen writes lines of the hot topics, for machines that do not have the
// shared generator. The same number gives the same bytes.
func gen(c config) error {
	f, err := os.Create(c.file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	at := time.Date(2026, 1, 29, 2, 31, 13, 0, time.UTC)
	for i := range c.n {
		sum := sha256.Sum256([]byte(strconv.Itoa(i)))
		x := hex.EncodeToString(sum[:])
		plan := x[:8] + "-" + x[8:12] + "-4" + x[13:16] + "-8" + x[17:20] + "-" + x[20:32]
		topic, more := "hxo.shard.created", `"phase":"pending"`
		switch i % 10 {
		case 5, 6, 7:
			topic, more = "hxo.shard.claimed", `"attempt":1`
		case 8, 9:
			topic, more = "hxo.shard.done", `"output_digest":"`+x+`"`
		}
		stamp := at.Add(time.Duration(i) * time.Millisecond).Format("2006-01-02T15:04:05.000Z")
		_, err = fmt.Fprintf(w, `{"specversion":"1.0","id":"e%08d","source":"hxo/engine-%d","type":"%s","time":"%s","data":{"plan_id":"%s","stage_id":"pack_backend","cas_id":"%s",%s}}`+"\n",
			i, i%17, topic, stamp, plan, x[32:48], more)
		if err != nil {
			break
		}
	}
	return errors.Join(err, w.Flush(), f.Close())
}
