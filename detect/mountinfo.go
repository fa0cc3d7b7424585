package detect

import (
	"bufio"
	"bytes"
	"iter"
	"os"
	"strconv"
)

// mountinfo is what a line of proc_pid_mountinfo(5) says, as far as we ask. Fields
// stay escaped, for they are only compared.
type mountinfo struct {
	id    uint64
	dev   string // "major:minor"
	dir   string // the directory of the file system that is mounted
	point string // where, below the root of the process
}

// mountsOf reads the mounts that are below the root of a process ("self", or a
// number). It stops reading when the caller stops asking: there may be thousands, and
// the one at the root is among the first. What cannot be read has no lines.
func mountsOf(pid string) iter.Seq[mountinfo] {
	return func(yield func(mountinfo) bool) {
		f, err := os.Open("/proc/" + pid + "/mountinfo")
		if err != nil {
			return
		}
		defer f.Close()
		r := bufio.NewReader(f)
		for {
			line, err := r.ReadBytes('\n')
			if err != nil {
				return
			}
			if m, ok := parseMountinfo(line); ok && !yield(m) {
				return
			}
		}
	}
}

// parseMountinfo reads "ID PARENT MAJOR:MINOR ROOT POINT ...".
func parseMountinfo(line []byte) (m mountinfo, ok bool) {
	f := bytes.SplitN(line, []byte(" "), 6)
	if len(f) < 6 {
		return m, false
	}
	id, err := strconv.ParseUint(string(f[0]), 10, 64)
	if err != nil {
		return m, false
	}
	return mountinfo{id, string(f[2]), string(f[3]), string(f[4])}, true
}
