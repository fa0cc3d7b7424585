package copytree

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Progress is how far a copy is.
type Progress struct {
	Files, Bytes           int64 // that are copied
	TotalFiles, TotalBytes int64 // that are to be copied, 0 until it is known
}

// countAfter is when it is worth counting what there is to copy; most copies have ended by then.
const countAfter = 300 * time.Millisecond

// report tells of the progress, ten times a second, until it is called off.
func (c *copier) report(tell func(Progress), from int) (stop func()) {
	done := make(chan struct{})
	var all sync.WaitGroup
	var total counter
	all.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			p := Progress{Files: c.files.Load(), Bytes: c.bytes.Load()}
			if total.ready.Load() {
				p.TotalFiles, p.TotalBytes = max(total.files, p.Files), max(total.bytes, p.Bytes)
			}
			tell(p)
		}
	})
	all.Go(func() {
		select {
		case <-done:
		case <-time.After(countAfter):
			if fd, err := openDir(from, "."); err == nil && total.count(c, fd, 0) {
				total.ready.Store(true)
			}
		}
	})
	return func() {
		c.stop.Store(true)
		close(done)
		all.Wait()
	}
}

// A counter counts what is in a tree.
type counter struct {
	files, bytes int64
	ready        atomic.Bool
}

// count counts what is in the open directory, which it closes, as long as the copy goes on. A tree that is so deep that
// only an attacker can have made it is not counted.
func (n *counter) count(c *copier, fd, depth int) bool {
	defer unix.Close(fd)
	names, err := entries(fd, nil)
	if err != nil || depth > 100 {
		return false
	}
	n.files++
	for _, name := range names {
		var st unix.Statx_t
		if c.stop.Load() {
			return false
		}
		if depth == 0 && c.skip != nil && c.skip(name) || statx(fd, name, &st) != nil {
			continue
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			if c.mounted(&st) || identityOf(&st) == c.self {
				continue
			}
			if sub, err := openDir(fd, name); err == nil && !n.count(c, sub, depth+1) {
				return false
			}
		case unix.S_IFREG:
			n.bytes += int64(st.Size) / int64(max(st.Nlink, 1)) // each name has its share
			fallthrough
		default:
			n.files++
		}
	}
	return true
}
