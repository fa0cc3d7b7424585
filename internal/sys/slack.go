package sys

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// slack is that of the program's threads, in nanoseconds, 0 if that is not known.
var slack int

// Unhurried lets the Go runtime's monitor sleep a millisecond longer than it asks for. In the first milliseconds of a program, which is all the life most
// calls of ctl have, it wakes every 20 µs (and the 50 µs later that a thread may), which takes a tenth of a processor. It is the thread that the runtime makes
// first, so it has one of the next numbers; where it has not, and without CAP_SYS_NICE or /proc, nothing is lost but that time. proc_pid_timerslack_ns(5).
func Unhurried() {
	slack, _ = unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	pid := os.Getpid()
	for tid := pid + 1; tid < pid+4; tid++ {
		if unix.Tgkill(pid, tid, 0) != nil {
			continue
		}
		if fd, err := unix.Open("/proc/"+strconv.Itoa(tid)+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
			_, _ = unix.Write(fd, []byte("1000000"))
			unix.Close(fd)
		}
		return
	}
}

// Hurried gives the thread the timer slack that the program was started with, before it makes a process: threads that the monitor has made have the
// monitor's, and processes that of the thread that has made them.
func Hurried() {
	if slack > 0 {
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0)
	}
}
