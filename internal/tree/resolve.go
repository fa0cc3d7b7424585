package tree

import (
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many links are followed in one path, path_resolution(7).
const maxLinks = 40

// open opens p inside the root. Links are followed, the last one unless flags
// have O_NOFOLLOW. openat2(2), Linux 5.6, does it in one call; where it is
// missing, or forbidden by a seccomp filter that does not know it, walk does the same.
func (t *Tree) open(p string, flags int, mode uint32) (int, error) {
	p = strings.TrimLeft(p, "/")
	if p == "" {
		p = "."
	}
	flags |= unix.O_CLOEXEC
	if t.walks.Load() {
		return t.walk(p, flags, mode)
	}
	how := unix.OpenHow{
		Flags:   uint64(flags),
		Mode:    uint64(mode),
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	for tries := 0; ; tries++ {
		fd, err := unix.Openat2(t.fd, p, &how)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN && tries < 64:
			continue // something was renamed on the way; nothing was decided
		case err == unix.ENOSYS, err == unix.EPERM && t.lacksOpenat2():
			t.walks.Store(true)
			return t.walk(p, flags, mode)
		case err == unix.EAGAIN:
			return t.walk(p, flags, mode)
		}
		return fd, err
	}
}

// lacksOpenat2 tells EPERM of a filter from EPERM of the file.
func (t *Tree) lacksOpenat2() bool {
	fd, err := unix.Openat2(t.fd, ".", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC})
	if err == nil {
		unix.Close(fd)
	}
	return err == unix.EPERM || err == unix.ENOSYS
}

// A walker goes through the tree one component at a time. It holds every
// directory from the root down to where it stands, so that ".." is a step back and
// never asks the kernel, who would go by where a directory has been moved to.
type walker struct {
	root  int
	fds   []int
	names []string
	links int
}

func (w *walker) top() int {
	if n := len(w.fds); n > 0 {
		return w.fds[n-1]
	}
	return w.root
}

func (w *walker) back() {
	if n := len(w.fds); n > 0 {
		unix.Close(w.fds[n-1])
		w.fds, w.names = w.fds[:n-1], w.names[:n-1]
	}
}

func (w *walker) close() {
	for len(w.fds) > 0 {
		w.back()
	}
}

// splice puts the target of a link in front of what is left of a path.
func (w *walker) splice(target, rest string) (string, error) {
	if w.links++; w.links > maxLinks {
		return "", unix.ELOOP
	}
	if target == "" {
		return "", unix.ENOENT
	}
	if target[0] == '/' {
		w.close()
	}
	if rest == "" {
		return target, nil
	}
	return target + "/" + rest, nil
}

// enter goes into the directory name, or returns the target of the link that it is.
func (w *walker) enter(name string) (target string, err error) {
	fd, err := eintr(func() (int, error) {
		return unix.Openat(w.top(), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
	if err == nil {
		w.fds, w.names = append(w.fds, fd), append(w.names, name)
		return "", nil
	}
	if err == unix.ENOTDIR || err == unix.ELOOP {
		if target, e := readlinkat(w.top(), name); e == nil {
			return target, nil
		}
		return "", unix.ENOTDIR
	}
	return "", err
}

func cutComponent(p string) (name, rest string) {
	p = strings.TrimLeft(p, "/")
	name, rest, _ = strings.Cut(p, "/")
	return name, strings.TrimLeft(rest, "/")
}

// walk is open without openat2.
func (t *Tree) walk(p string, flags int, mode uint32) (int, error) {
	w := walker{root: t.fd}
	defer w.close()
	for {
		mustBeDir := strings.HasSuffix(p, "/")
		name, rest := cutComponent(p)
		switch {
		case name == "":
			return eintr(func() (int, error) { return unix.Openat(w.top(), ".", flags&^unix.O_NOFOLLOW, mode) })
		case name == ".":
			p = rest
			continue
		case name == "..":
			w.back()
			p = rest
			continue
		}
		if rest != "" || mustBeDir {
			target, err := w.enter(name)
			if err != nil {
				return -1, err
			}
			if p = rest; target != "" {
				if p, err = w.splice(target, rest); err != nil {
					return -1, err
				}
				if mustBeDir && rest == "" {
					p += "/"
				}
			}
			continue
		}
		if flags&unix.O_NOFOLLOW == 0 {
			if target, err := readlinkat(w.top(), name); err == nil {
				if p, err = w.splice(target, ""); err != nil {
					return -1, err
				}
				continue
			}
		}
		return eintr(func() (int, error) { return unix.Openat(w.top(), name, flags|unix.O_NOFOLLOW, mode) })
	}
}

// Resolve returns the canonical path of p in the tree, beginning with "/": no
// links, the last component's aside when followLast is unset, no "." and no "..".
// From the first component on that does not exist the path stays as it is written. ELOOP, ENOTDIR.
func (t *Tree) Resolve(p string, followLast bool) (string, error) {
	w := walker{root: t.fd}
	defer w.close()
	todo := p
	for {
		name, rest := cutComponent(todo)
		switch name {
		case "":
			return w.path(""), nil
		case ".":
			todo = rest
			continue
		case "..":
			w.back()
			todo = rest
			continue
		}
		if rest == "" {
			target, err := "", error(nil)
			if followLast {
				target, err = readlinkat(w.top(), name)
			}
			if !followLast || err != nil {
				return w.path(name), nil
			}
			if todo, err = w.splice(target, ""); err != nil {
				return "", t.fail("resolve", p, err)
			}
			continue
		}
		target, err := w.enter(name)
		if err == unix.ENOENT {
			return w.missing(name, rest), nil
		}
		if err != nil {
			return "", t.fail("resolve", p, err)
		}
		if todo = rest; target != "" {
			if todo, err = w.splice(target, rest); err != nil {
				return "", t.fail("resolve", p, err)
			}
		}
	}
}

// path is where the walker stands, with name added.
func (w *walker) path(name string) string {
	s := "/" + strings.Join(w.names, "/")
	if name == "" || s == "/" {
		return s + name
	}
	return s + "/" + name
}

// missing is where the walker stands with components added that do not exist.
func (w *walker) missing(name, rest string) string {
	l := append([]string{}, w.names...)
	l = append(l, name)
	for rest != "" {
		name, rest = cutComponent(rest)
		switch name {
		case "", ".":
		case "..":
			if len(l) > 0 {
				l = l[:len(l)-1]
			}
		default:
			l = append(l, name)
		}
	}
	return "/" + strings.Join(l, "/")
}

// readlinkat is readlinkat(2) with a buffer that fits: a target is shorter than PATH_MAX.
func readlinkat(dir int, name string) (string, error) {
	var buf [unix.PathMax]byte
	n, err := eintr(func() (int, error) { return unix.Readlinkat(dir, name, buf[:]) })
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// eintr repeats a system call that a signal interrupted; Go's runtime sends signals of its own.
func eintr(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
