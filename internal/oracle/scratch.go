package oracle

import (
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// memory is where trees are made whose directories have an order of our choosing.
const memory = "/dev/shm"

// tmpfsMagic is the type of such a file system in statfs(2).
const tmpfsMagic = 0x01021994

// newestFirst tells whether the newest entry of a directory in memory is listed
// first, as Linux did always but for some releases after 6.5.
func newestFirst() bool { first, _ := order(); return first }

var order = sync.OnceValues(func() (bool, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err != nil {
		return false, err
	}
	if fs.Type != tmpfsMagic {
		return false, errors.New(memory + " is no tmpfs")
	}
	dir, err := os.MkdirTemp(memory, "ctl-order-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	made := []string{"m", "z", "a", "y", "b"}
	for _, n := range made {
		if err := os.WriteFile(dir+"/"+n, nil, 0o600); err != nil {
			return false, err
		}
	}
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	listed, err := d.Readdirnames(-1)
	if err != nil {
		return false, err
	}
	if slices.Equal(listed, made) {
		return false, nil
	}
	slices.Reverse(listed)
	if slices.Equal(listed, made) {
		return true, nil
	}
	return false, errors.New("directories of " + memory + " have no order")
})

// Scratch returns a new directory in memory. What the reference does and says follows
// the order of directories; there State.Write decides on it.
func Scratch(t testing.TB) string {
	t.Helper()
	_, err := order()
	Require(t, err)
	dir, err := os.MkdirTemp(memory, "ctl-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
