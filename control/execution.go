package control

import (
	"slices"
	"strconv"

	"ctl/control/manager"
	"ctl/internal/unit"
)

// An execution is a command of a unit with what came of its last run.
type execution struct {
	path       string
	argv       []string
	extended   bool // the flags are known
	flags      []string
	ignore     bool   // its failure is none of the unit's
	start, end uint64 // microseconds since 1970
	pid        uint32
	code       int32 // how it ended, a code of waitid(2), 0 if it has not
	status     int32 // its exit status or the signal
}

// execOf reads an entry of a property such as ExecStart or ExecStartEx.
func execOf(row []any) (x execution, ok bool) {
	var startMonotonic, endMonotonic uint64
	if manager.Scan(row, &x.path, &x.argv, &x.flags, &x.start, &startMonotonic, &x.end, &endMonotonic, &x.pid, &x.code, &x.status) {
		x.extended, x.ignore = true, slices.Contains(x.flags, "ignore-failure")
		return x, true
	}
	ok = manager.Scan(row, &x.path, &x.argv, &x.ignore, &x.start, &startMonotonic, &x.end, &endMonotonic, &x.pid, &x.code, &x.status)
	return x, ok
}

// exited is the code of waitid(2) for a process that ended by itself, killed for one that a signal ended.
const (
	exited = 1
	killed = 2
)

// clean tells whether a daemon that ends so has done nothing wrong.
func (x execution) clean() bool {
	switch x.code {
	case exited:
		return x.status == 0
	case killed:
		switch signalName(x.status) {
		case "HUP", "INT", "TERM", "PIPE":
			return true
		}
	}
	return false
}

// endText names how a process ended.
func endText(code int32) string {
	names := [...]string{"exited", "killed", "dumped", "trapped", "stopped", "continued"}
	if code < exited || int(code) > len(names) {
		return "(null)"
	}
	return names[code-1]
}

// statusText writes an exit status, or a signal with its name.
func statusText(code, status int32) string {
	if code == exited {
		return strconv.Itoa(int(status))
	}
	return strconv.Itoa(int(status)) + "/" + signalName(status)
}

// endedText says how a process ended: "code=exited, status=1/FAILURE".
func endedText(code, status int32) string {
	text := "code=" + endText(code) + ", "
	if code != exited {
		return text + "signal=" + signalName(status)
	}
	text += "status=" + strconv.Itoa(int(status))
	if name := unit.StatusName(status); name != "" {
		text += "/" + name
	}
	return text
}
