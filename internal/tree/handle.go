package tree

// At is the tree whose root directory is open as fd, which becomes the tree's. Messages name its files below shown.
func At(fd int, shown string) *Tree {
	if shown == "/" {
		shown = ""
	}
	return &Tree{fd: fd, prefix: shown}
}

// Handle opens p inside the tree with flags of open(2) and returns the file descriptor, which is the caller's. It is for
// system calls that take one, mount(2)'s relatives say. Links are followed unless flags have O_NOFOLLOW.
func (t *Tree) Handle(p string, flags int) (int, error) {
	fd, err := t.open(p, flags)
	return fd, t.fail("open", p, err)
}

// Root is the file descriptor of the root directory; it stays the tree's.
func (t *Tree) Root() int { return t.fd }

// Fd is the directory's file descriptor; it stays the directory's.
func (d *Dir) Fd() int { return d.fd }
