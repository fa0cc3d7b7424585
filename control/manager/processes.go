package manager

import "golang.org/x/sys/unix"

// A Process is one that belongs to a unit.
type Process struct {
	CGroup  string // its control group, "" for a main or control process outside of those of the unit
	PID     uint32
	Command string // its command line
}

// GetProcesses is a call that asks for the processes of a unit and of the control groups below its own.
// Processes reads the reply.
func GetProcesses(unit string) Call { return Method("GetUnitProcesses", unit) }

// Processes reads the reply to GetProcesses.
func Processes(reply []any) []Process {
	if len(reply) == 0 {
		return nil
	}
	rows, _ := reply[0].([][]any)
	l := make([]Process, 0, len(rows))
	for _, r := range rows {
		var p Process
		if Scan(r, &p.CGroup, &p.PID, &p.Command) {
			l = append(l, p)
		}
	}
	return l
}

// Monotonic is the present on the clock of NextElapseUSecMonotonic, microseconds since boot.
func Monotonic() uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // cannot fail
	return uint64(t.Nano() / 1000)
}
