package oracle

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// surroundings is what a call might change on its host, each with a description.
func surroundings(memory string) map[string]string {
	s := make(map[string]string)
	listTree(s, "/", memory+"/upper", false)
	listTree(s, HostDir+"/full/", memory+"/full", false)
	for _, d := range []string{"/run", "/tmp", "/var/tmp", HostDir, "/dev"} {
		listTree(s, d+"/", d, true)
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if m, ok := parseMount(line); ok {
			for i := 2; ; i++ {
				if _, ok := s[m]; !ok {
					break
				}
				m = fmt.Sprintf("%s (%d)", strings.TrimSuffix(m, fmt.Sprintf(" (%d)", i-1)), i)
			}
			s[m] = ""
		}
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			s["cgroup "+p] = ""
		}
		return nil
	})
	processes, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range processes {
		if p != "/proc/1/cmdline" {
			words, _ := os.ReadFile(p)
			if len(words) > 0 { // a zombie has none
				s["process "+string(bytes.ReplaceAll(bytes.TrimRight(words, "\x00"), []byte{0}, []byte{' '}))] = ""
			}
		}
	}
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		s["interface "+i.Name] = i.Flags.String()
	}
	name, _ := os.Hostname()
	s["hostname"] = name
	return s
}

// parseMount takes what is stable from a line of mountinfo.
func parseMount(line string) (string, bool) {
	// ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [OPTIONAL...] - TYPE SOURCE SUPER
	f := strings.Fields(line)
	dash := slices.Index(f, "-")
	if dash < 6 || len(f) < dash+3 {
		return "", false
	}
	optional := ""
	for _, o := range f[6:dash] {
		kind, _, _ := strings.Cut(o, ":")
		optional += " " + kind
	}
	return strings.Join([]string{"mount", f[4], f[dash+1], f[5]}, " ") + optional, true
}

// listTree adds the entries below a directory, named as if it were called as.
func listTree(s map[string]string, as, dir string, oneFileSystem bool) {
	var top unix.Stat_t
	if unix.Stat(dir, &top) != nil {
		return
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		root = dir
	}
	_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return nil
		}
		var st unix.Stat_t
		if unix.Lstat(p, &st) != nil {
			return nil
		}
		name := as + strings.TrimPrefix(p, root+"/")
		s[name] = describe(p, &st)
		if oneFileSystem && d.IsDir() && st.Dev != top.Dev {
			return fs.SkipDir
		}
		return nil
	})
}

// describe is all that one can see of a file, but for its times.
func describe(p string, st *unix.Stat_t) string {
	text := fmt.Sprintf("%06o %d:%d", st.Mode, st.Uid, st.Gid)
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFLNK:
		to, _ := os.Readlink(p)
		text += " → " + to
	case syscall.S_IFREG:
		if st.Nlink > 1 {
			text += fmt.Sprintf(" links=%d", st.Nlink)
		}
		text += fmt.Sprintf(" size=%d", st.Size)
		if st.Size < 2000 {
			data, _ := os.ReadFile(p)
			text += fmt.Sprintf(" %q", data)
		} else if int64(st.Blocks)*512 < st.Size/2 {
			text += " sparse"
		}
	case syscall.S_IFCHR, syscall.S_IFBLK:
		if st.Rdev == 0 {
			return "deleted"
		}
		text += fmt.Sprintf(" %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	buf := make([]byte, 4096)
	if n, err := unix.Llistxattr(p, buf); err == nil {
		for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
			if name != "" && !strings.HasPrefix(name, "trusted.overlay.") {
				v := make([]byte, 1024)
				k, _ := unix.Lgetxattr(p, name, v)
				text += fmt.Sprintf(" %s=%x", name, v[:max(k, 0)])
			}
		}
	}
	return text
}

// changes is what became different, in order.
func changes(before, after map[string]string) []string {
	var l []string
	for k, v := range before {
		if w, ok := after[k]; !ok {
			l = append(l, k+": gone "+v)
		} else if v != w {
			l = append(l, k+": "+v+" became "+w)
		}
	}
	for k, v := range after {
		if _, ok := before[k]; !ok {
			l = append(l, k+": new "+v)
		}
	}
	slices.Sort(l)
	return l
}
