package copytree_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"ctl/internal/oracle"
	"ctl/sandbox/copytree"
)

// TestRandom copies random trees on each file system and compares all that can be seen of them.
func TestRandom(t *testing.T) {
	oracle.NeedRoot(t, "devices and owners")
	for _, kind := range []string{"ext4", "tmpfs", "btrfs", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			at := fileSystem(t, kind, "2000")
			for seed := range uint64(4) {
				g := &gardener{TB: t, Rand: rand.New(rand.NewPCG(seed, 1))}
				src, dst := fmt.Sprintf("%s/src%d", at, seed), fmt.Sprintf("%s/dst%d", at, seed)
				g.tree(src, 150)
				before := describe(t, src)
				if err := copytree.Copy(context.Background(), src, dst, copytree.Options{}); err != nil {
					t.Fatal(err)
				}
				same(t, fmt.Sprint("seed ", seed), before, describe(t, dst))
				same(t, "the original", before, describe(t, src))
				for _, p := range []string{src, dst} {
					if err := copytree.Remove(p); err != nil {
						t.Fatal(err)
					}
					if _, err := os.Lstat(p); err == nil {
						t.Errorf("%s is there still", p)
					}
				}
			}
		})
	}
}
