package tree

import (
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many links are followed in one path, path_resolution(7).
const maxLinks = 40

// maxRaces is how often a look at one name is repeated because the name became
// something else meanwhile. Then what was seen last counts.
const maxRaces = 512

// open opens p inside the root. Links are followed, the last one unless flags
// have O_NOFOLLOW. openat2(2), Linux 5.6, does it in one call; where it is
// missing, or forbidden by a seccomp filter that does not know it, walk does the same.
func (t *Tree) open(p string, flags int) (int, error) {
	p = strings.TrimLeft(p, "/")
	if p == "" {
		p = "."
	}
	flags |= unix.O_CLOEXEC
	if flags&unix.O_PATH == 0 {
		flags |= unix.O_LARGEFILE // on 32 bits openat2, unlike openat, is not given it by default
	}
	if t.walks.Load() {
		return t.walk(p, flags)
	}
	how := unix.OpenHow{
		Flags:   uint64(flags),
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
			return t.walk(p, flags)
		case err == unix.EAGAIN:
			return t.walk(p, flags)
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

// dots goes to name, which is "." or "..". The kernel wants the right to search for both.
func (w *walker) dots(name string) error {
	fd, err := openat(w.top(), ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return err
	}
	unix.Close(fd)
	if name == ".." {
		w.back()
	}
	return nil
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
	if target[0] == '/' {
		w.close()
	}
	if rest == "" {
		return target, nil
	}
	return target + "/" + rest, nil
}

// readlink reads the link name where the walker stands. EINVAL: it is no link. ELOOP: it
// is a magic one, whose text is not where it leads, as RESOLVE_NO_MAGICLINKS has it.
func (w *walker) readlink(name string) (string, error) {
	target, err := readlinkat(w.top(), name)
	switch {
	case err != nil:
		return "", err
	case target == "":
		return "", unix.ENOENT // no file system of Linux makes such, but one of another may hold it
	case (target[0] == '/' || strings.Contains(target, ":[")) && onProc(w.top()):
		return "", unix.ELOOP
	}
	return target, nil
}

// onProc tells whether a directory is of a proc file system. There, links to absolute
// paths and to names like "net:[4026531840]" are magic; proc(5) has no others of that look.
func onProc(dir int) bool {
	var st unix.Statfs_t
	err := retry(func() error { return unix.Fstatfs(dir, &st) })
	return err == nil && int64(st.Type) == unix.PROC_SUPER_MAGIC
}

// enter goes into the directory name, or returns the target of the link that it is.
func (w *walker) enter(name string) (target string, err error) {
	for range maxRaces {
		fd, err := openat(w.top(), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY|unix.O_CLOEXEC)
		if err == nil {
			w.fds, w.names = append(w.fds, fd), append(w.names, name)
			return "", nil
		}
		if err != unix.ENOTDIR && err != unix.ELOOP {
			return "", err
		}
		if target, err := w.readlink(name); err != unix.EINVAL {
			return target, err
		}
	}
	return "", unix.ENOTDIR
}

// last opens the last component of a path, or returns the target of the link that it is.
func (w *walker) last(name string, flags int) (fd int, target string, err error) {
	for range maxRaces {
		if flags&unix.O_NOFOLLOW == 0 {
			if target, err := w.readlink(name); err != unix.EINVAL {
				return -1, target, err
			}
		}
		fd, err = openat(w.top(), name, flags|unix.O_NOFOLLOW)
		if flags&unix.O_NOFOLLOW != 0 {
			break
		}
		// It was no link. Is what was opened, or could not be, one by now?
		switch {
		case err == unix.ELOOP, err == unix.ENOTDIR:
			continue
		case err == nil && flags&unix.O_PATH != 0:
			if st, e := statFd(fd); e == nil && st.Kind == Link {
				unix.Close(fd)
				fd, err = -1, unix.ELOOP
				continue
			}
		}
		break
	}
	return fd, "", err
}

func cutComponent(p string) (name, rest string) {
	p = strings.TrimLeft(p, "/")
	name, rest, _ = strings.Cut(p, "/")
	return name, strings.TrimLeft(rest, "/")
}

// walk is open without openat2.
func (t *Tree) walk(p string, flags int) (int, error) {
	if len(p) >= unix.PathMax {
		return -1, unix.ENAMETOOLONG
	}
	w := walker{root: t.fd}
	defer w.close()
	for {
		name, rest := cutComponent(p)
		if rest == "" && strings.HasSuffix(p, "/") {
			flags = flags&^unix.O_NOFOLLOW | unix.O_DIRECTORY // what is before a slash is one, or leads to one
		}
		switch name {
		case "":
			return openat(w.top(), ".", flags&^unix.O_NOFOLLOW)
		case ".", "..":
			if err := w.dots(name); err != nil {
				return -1, err
			}
			p = rest
			continue
		}
		fd, target, err := -1, "", error(nil)
		if rest == "" {
			fd, target, err = w.last(name, flags)
		} else {
			target, err = w.enter(name)
		}
		if err != nil || fd >= 0 {
			return fd, err
		}
		if p = rest; target != "" {
			if p, err = w.splice(target, rest); err != nil {
				return -1, err
			}
		}
	}
}

// Resolve returns the canonical path of p in the tree, beginning with "/": no
// links, the last component's aside when followLast is unset, no "." and no "..".
// From the first component on that does not exist the path stays as it is
// written, ".." taken by the text. ELOOP, ENOTDIR, EACCES.
func (t *Tree) Resolve(p string, followLast bool) (string, error) {
	w := walker{root: t.fd}
	defer w.close()
	r, err := w.resolve(p, followLast)
	return r, t.fail("resolve", p, err)
}

func (w *walker) resolve(p string, followLast bool) (string, error) {
	for {
		name, rest := cutComponent(p)
		switch name {
		case "":
			return w.path(""), nil
		case ".", "..":
			if err := w.dots(name); err != nil {
				return "", err
			}
			p = rest
			continue
		}
		target, err := "", error(nil)
		switch {
		case rest != "":
			if target, err = w.enter(name); err == unix.ENOENT {
				return w.missing(name, rest), nil
			}
		case !followLast:
			return w.path(name), nil
		default:
			if target, err = w.readlink(name); err == unix.EINVAL || err == unix.ENOENT {
				return w.path(name), nil
			}
		}
		if err != nil {
			return "", err
		}
		if p = rest; target != "" {
			if p, err = w.splice(target, rest); err != nil {
				return "", err
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

// openat is openat(2), links followed unless flags forbid it.
func openat(dir int, name string, flags int) (int, error) {
	return eintr(func() (int, error) { return unix.Openat(dir, name, flags, 0) })
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

// retry is eintr for calls that return nothing.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
