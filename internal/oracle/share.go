package oracle

import (
	"hash/crc32"
	"os"
)

// all tells that nothing is left out (CTL_ALL, `make fuzz`). The normal run takes a share of what is alike, to end in some minutes.
var all = os.Getenv("CTL_ALL") != ""

// Chosen tells whether the one of n shares with this number is the case's. A case keeps its share as long as it is called the same.
func Chosen(name string, share, n uint32) bool {
	return all || crc32.ChecksumIEEE([]byte(name))%n == share
}

// All tells whether nothing is to be left out, however long it takes.
func All() bool { return all }
