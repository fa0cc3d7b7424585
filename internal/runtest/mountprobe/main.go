// Command mountprobe is started as a service. It tells what is mounted where it runs, and what it may do with files there.
package main

import (
	"fmt"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) == 5 && os.Args[1] == "loop" {
		first, _ := strconv.Atoi(os.Args[2])
		last, _ := strconv.Atoi(os.Args[3])
		if err := loop(first, last, os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil && unix.Mkdir("/.probe", 0o700) == nil { // there is no /proc, or it is covered
		_ = unix.Mount("proc", "/.probe", "proc", 0, "")
		data, _ = os.ReadFile("/.probe/self/mountinfo")
		_ = unix.Unmount("/.probe", 0)
		_ = os.Remove("/.probe")
	}
	for line := range strings.Lines(string(data)) {
		fmt.Print("mount ", line)
	}
	if data == nil {
		fmt.Println("mount", err)
	}
	for _, p := range os.Args[1:] {
		try(p)
	}
}

// try tells what is at a path, what is in it, and whether it can be written and executed.
func try(p string) {
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		fmt.Println(p, err)
		return
	}
	fmt.Printf("%s %s", p, kind(p, &st))
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		err := unix.Mkdir(p+"/.probe", 0o700)
		if err == nil {
			_ = unix.Rmdir(p + "/.probe")
		}
		fmt.Println(" mkdir:", err)
		l, err := os.ReadDir(p)
		if err != nil {
			fmt.Println(p, "list:", err)
		}
		var names []string
		for _, e := range l {
			names = append(names, e.Name())
		}
		sort.Strings(names)
		for _, n := range names {
			if unix.Lstat(path.Join(p, n), &st) == nil && !volatile(p) {
				fmt.Printf("%s/%s %s\n", p, n, kind(path.Join(p, n), &st))
			}
		}
	case unix.S_IFREG:
		fd, err := unix.Open(p, unix.O_WRONLY|unix.O_APPEND, 0)
		if err == nil {
			_ = unix.Close(fd)
		}
		fmt.Println(" write:", err, "access:", unix.Access(p, unix.X_OK))
	default:
		fmt.Println()
	}
}

// volatile tells whether a directory has other contents each time.
func volatile(p string) bool {
	return p == "/proc" || p == "/tmp" || p == "/var/tmp" || strings.HasPrefix(p, "/sys") || p == "/"
}

func kind(p string, st *unix.Stat_t) string {
	s := fmt.Sprintf("%06o %d:%d", st.Mode, st.Uid, st.Gid)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		to, _ := os.Readlink(p)
		s += " → " + to
	case unix.S_IFCHR, unix.S_IFBLK:
		s += fmt.Sprintf(" %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	return s
}
