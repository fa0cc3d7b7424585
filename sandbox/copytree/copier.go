package copytree

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A copier copies one tree with several goroutines, each of which takes a directory from the queue, makes all its entries and
// puts its directories into the queue. The queue is a stack, so that few directories are open at a time.
type copier struct {
	ctx          context.Context
	files, bytes atomic.Int64
	skip         func(name string) bool
	to           int      // the top of the copy
	self         identity // the same, which may lie in the tree
	dev          uint64   // of the tree

	stop             atomic.Bool // nothing more is to be done
	noClone, noRange atomic.Bool // the file systems cannot do that
	links            links

	mu    sync.Mutex
	more  sync.Cond
	queue []*dir
	open  int // directories queued or worked on
	err   error
}

// identity is what tells inodes apart.
type identity struct{ dev, ino uint64 }

func identityOf(st *unix.Statx_t) identity {
	return identity{uint64(st.Dev_major)<<32 | uint64(st.Dev_minor), st.Ino}
}

// A dir is a directory of the tree and its copy. Both are open from when it is taken from the queue until
// its directories have been.
type dir struct {
	parent   *dir
	name     string
	from, to int
	users    atomic.Int32 // itself and the directories that are still to be opened
}

func (d *dir) path() string {
	var names []string
	for ; d.parent != nil; d = d.parent {
		names = append(names, d.name)
	}
	var b strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteString(names[i])
		if i > 0 {
			b.WriteByte('/')
		}
	}
	return b.String()
}

func (d *dir) release() {
	if d.users.Add(-1) == 0 && d.parent != nil { // the top is open before and after
		_ = unix.Close(d.from)
		_ = unix.Close(d.to)
	}
}

func newCopier(ctx context.Context, from, to int, skip func(string) bool) *copier {
	c := &copier{ctx: ctx, skip: skip, to: to}
	c.more.L = &c.mu
	var st unix.Statx_t
	if statx(to, "", &st) == nil {
		c.self = identityOf(&st)
	}
	if statx(from, "", &st) == nil {
		c.dev = identityOf(&st).dev
	}
	top := &dir{from: from, to: to}
	top.users.Store(2) // never closed here
	c.queue, c.open = []*dir{top}, 1
	return c
}

// workers is how many directories are worked on at a time. The kernel does nearly all of the work, and it scales; on rotating
// disks more would do harm.
func workers() int { return min(max(runtime.NumCPU(), 2), 4) }

// run copies everything, and at last lets others in.
func (c *copier) run() error {
	top := c.queue[0]
	undo := context.AfterFunc(c.ctx, func() { c.fail(context.Cause(c.ctx)) })
	defer undo()
	var all sync.WaitGroup
	for range workers() {
		all.Go(c.work)
	}
	all.Wait()
	if c.err == nil {
		if err := c.ctx.Err(); err != nil {
			return context.Cause(c.ctx)
		}
		if err := c.finish(top); err != nil {
			return fail("copy", ".", err)
		}
	}
	return c.err
}

// work takes directories from the queue until there will be no more.
func (c *copier) work() {
	w := worker{copier: c, buf: make([]byte, bufferSize)}
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.queue) == 0 && c.open > 0 {
			c.more.Wait()
		}
		if c.open == 0 {
			return
		}
		d := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		c.mu.Unlock()
		inner := w.directory(d)
		c.mu.Lock()
		c.queue = append(c.queue, inner...)
		if c.open += len(inner) - 1; len(inner) > 1 || c.open == 0 {
			c.more.Broadcast()
		}
	}
}

// fail ends the work because of err, if nothing else has.
func (c *copier) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.stop.Store(true)
}

// A worker is what one goroutine works with.
type worker struct {
	*copier
	buf []byte
}

// directory copies the entries of one directory and returns the directories among them.
func (w *worker) directory(d *dir) (inner []*dir) {
	defer d.release()
	if d.parent != nil {
		err := w.stopped()
		if err == nil {
			err = w.openBoth(d)
		}
		d.parent.release()
		if err != nil {
			if err != errGone {
				w.fail(fail("copy", d.path(), err))
			}
			d.from, d.to = -1, -1
			return nil
		}
	}
	names, err := entries(d.from, w.buf)
	if err != nil {
		w.fail(fail("copy", d.path(), err))
		return nil
	}
	for _, name := range names {
		if d.parent == nil && w.skip != nil && w.skip(name) {
			continue
		}
		err := w.stopped()
		isDir := false
		if err == nil {
			isDir, err = w.entry(d, name)
		}
		if err != nil {
			if err != errGone {
				w.fail(fail("copy", (&dir{parent: d, name: name}).path(), err))
			}
			continue
		}
		if isDir {
			d.users.Add(1)
			sub := &dir{parent: d, name: name}
			sub.users.Store(1)
			inner = append(inner, sub)
		}
	}
	if d.parent != nil && !w.stop.Load() {
		if err := w.finish(d); err != nil {
			w.fail(fail("copy", d.path(), err))
		}
	}
	return inner
}

// errGone says that the work is void: what was to be copied was removed meanwhile, or somebody else has failed.
var errGone = errors.New("gone")

func (c *copier) stopped() error {
	if c.stop.Load() {
		return errGone
	}
	return nil
}

// openBoth opens the directory and its copy, which is there. What has become another thing meanwhile stays an empty directory.
func (c *copier) openBoth(d *dir) (err error) {
	if d.to, err = openDir(d.parent.to, d.name); err != nil {
		return err
	}
	d.from, err = openDir(d.parent.from, d.name)
	if err == unix.ENOENT || err == unix.ENOTDIR || err == unix.ELOOP {
		err = errGone
	}
	if err == nil {
		var st unix.Statx_t
		if err = statx(d.from, "", &st); err == nil && c.mounted(&st) {
			err = errGone
		}
		if err != nil {
			_ = unix.Close(d.from)
		}
	}
	if err != nil {
		_ = unix.Close(d.to)
	}
	return err
}

// finish gives the copy of a directory the attributes of the original, which is done last, for they may forbid to
// make anything in it, and files would inherit its access control list.
func (c *copier) finish(d *dir) error {
	var st unix.Statx_t
	if err := statx(d.from, "", &st); err != nil {
		return err
	}
	if err := attributes(d.to, d.from, &st); err != nil {
		return err
	}
	c.files.Add(1)
	return unix.UtimesNanoAt(d.to, ".", times(&st), 0)
}
