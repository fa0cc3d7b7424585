package oracle

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// An Entry is one name in a tree: what it is, its permissions, and its contents, or
// where it leads to if it is a link.
type Entry struct {
	Mode fs.FileMode
	Text string
}

func (e Entry) String() string {
	switch {
	case e.Mode&fs.ModeSymlink != 0:
		return "→ " + e.Text
	case e.Mode.IsRegular():
		return fmt.Sprintf("%v %q", e.Mode, e.Text)
	}
	return e.Mode.String()
}

// A State is a tree: entries by their path below its root, which begins with a slash.
type State map[string]Entry

// Snapshot reads the tree at root, but for what Chroot has put there.
func Snapshot(root string) State {
	s := make(State)
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return nil
		}
		rel := strings.TrimPrefix(p, root)
		if slices.Contains(kept[:], rel) {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		e := Entry{Mode: info.Mode()}
		switch {
		case e.Mode&fs.ModeSymlink != 0:
			e.Mode = fs.ModeSymlink
			e.Text, _ = os.Readlink(p)
		case e.Mode.IsRegular():
			data, _ := os.ReadFile(p)
			e.Text = string(data)
		}
		s[rel] = e
		return nil
	})
	return s
}

// Write makes the tree at root, where only what Chroot has put there may be. In a
// Scratch directory each directory of the tree is then listed by name.
func (s State) Write(root string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	paths := slices.SortedFunc(maps.Keys(s), func(a, b string) int {
		as, bs := strings.Split(a, "/"), strings.Split(b, "/")
		for i := range min(len(as), len(bs)) {
			if c := strings.Compare(as[i], bs[i]); c != 0 {
				if newestFirst() {
					return -c
				}
				return c
			}
		}
		return len(as) - len(bs)
	})
	for _, p := range paths {
		if err := s[p].write(root + p); err != nil {
			return err
		}
	}
	return nil
}

func (e Entry) write(p string) error {
	var err error
	switch e.Mode.Type() {
	case fs.ModeSymlink:
		return os.Symlink(e.Text, p)
	case fs.ModeDir:
		err = os.Mkdir(p, e.Mode.Perm())
	case fs.ModeNamedPipe:
		err = syscall.Mkfifo(p, uint32(e.Mode.Perm()))
	case fs.ModeDevice | fs.ModeCharDevice:
		err = syscall.Mknod(p, syscall.S_IFCHR|uint32(e.Mode.Perm()), 1<<8|3) // null(4)
	default:
		err = os.WriteFile(p, []byte(e.Text), e.Mode.Perm())
	}
	if err != nil {
		return err
	}
	return os.Chmod(p, e.Mode.Perm()) // the umask may have taken some
}

// Clear empties root but for what Chroot has put there.
func Clear(root string) error {
	l, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, d := range l {
		if slices.Contains(kept[:], "/"+d.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(root, d.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Diff is what two trees differ in, "" if in nothing.
func Diff(a, b State) string {
	var lines []string
	for p, v := range a {
		if w, ok := b[p]; !ok {
			lines = append(lines, "- "+p+" "+v.String())
		} else if v != w {
			lines = append(lines, "- "+p+" "+v.String(), "+ "+p+" "+w.String())
		}
	}
	for p, w := range b {
		if _, ok := a[p]; !ok {
			lines = append(lines, "+ "+p+" "+w.String())
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
