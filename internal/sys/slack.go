package sys

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Unhurried lets the Go runtime's monitor sleep a millisecond longer than it asks for. In the first milliseconds of a program, which is all the life most
// calls of ctl have, it wakes every 20 µs (and the 50 µs later that a thread may), which takes a tenth of a processor. It is the thread that the runtime makes
// first, so it has one of the next numbers; where it has not, and without CAP_SYS_NICE or /proc, nothing is lost but that time. proc_pid_timerslack_ns(5).
func Unhurried() {
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
