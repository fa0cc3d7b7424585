package oracle

import (
	"hash/crc32"
	"iter"
	"os"
	"strconv"
	"testing"
	"time"
)

// all tells that nothing is left out (CTL_ALL, `make fuzz`). The normal run takes a share of what is alike, to end in some minutes.
var all = os.Getenv("CTL_ALL") != ""

// Chosen tells whether the one of n shares with this number is the case's. A case keeps its share as long as it is called the same.
func Chosen(name string, share, n uint32) bool {
	return all || crc32.ChecksumIEEE([]byte(name))%n == share
}

// All tells whether nothing is to be left out, however long it takes.
func All() bool { return all }

// Seeds are those of a test that makes random things: count of them, or CTL_SEQUENCES, from CTL_SEED or 1 on. With CTL_FUZZTIME
// there are as many as there is time for, from one on that is another each time.
func Seeds(t *testing.T, count uint64) iter.Seq[uint64] {
	t.Helper()
	seed := Number("CTL_SEED", 1)
	count = Number("CTL_SEQUENCES", count)
	var until time.Time
	if d, err := time.ParseDuration(os.Getenv("CTL_FUZZTIME")); err == nil {
		until = time.Now().Add(d)
		count = 1 << 40
		if os.Getenv("CTL_SEED") == "" {
			seed = uint64(time.Now().UnixNano() & 0xffffffff)
		}
	}
	t.Logf("from seed %d on (CTL_SEED)", seed)
	return func(yield func(uint64) bool) {
		n := uint64(0)
		for n < count && (until.IsZero() || time.Now().Before(until)) && yield(seed+n) {
			n++
		}
		t.Logf("%d seeds", n)
	}
}

// Number is the number that a variable of the environment has.
func Number(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 0, 64); err == nil {
		return n
	}
	return otherwise
}
