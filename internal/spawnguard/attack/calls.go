package main

import (
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// A systemCall is one that a container may not make, by its numbers in the two tables of x86. The third, x32, has the first with a bit.
type systemCall struct {
	name         string
	amd64, i386  uintptr
	hardenedOnly bool
}

var systemCalls = [...]systemCall{
	{"acct", 163, 51, false}, {"adjtimex", 159, 124, false}, {"bpf", 321, 357, false}, {"clock_adjtime", 305, 343, false},
	{"clock_settime", 227, 264, false}, {"delete_module", 176, 129, false}, {"fanotify_init", 300, 338, false},
	{"finit_module", 313, 350, false}, {"init_module", 175, 128, false}, {"ioperm", 173, 101, false}, {"iopl", 172, 110, false},
	{"kexec_load", 246, 283, false}, {"mlock", 150, 150, false}, {"mlockall", 151, 152, false}, {"modify_ldt", 154, 123, false},
	{"open_by_handle_at", 304, 342, false}, {"perf_event_open", 298, 336, false}, {"pidfd_getfd", 438, 438, false},
	{"quotactl", 179, 131, false}, {"settimeofday", 164, 79, false}, {"swapoff", 168, 115, false}, {"swapon", 167, 87, false},
	{"syslog", 103, 103, false}, {"ustat", 136, 62, false}, {"quotactl_fd", 443, 443, false}, {"lookup_dcookie", 212, 253, false},
	{"io_uring_setup", 425, 425, true}, {"io_uring_enter", 426, 426, true}, {"keyctl", 250, 288, true}, {"add_key", 248, 286, true},
	{"request_key", 249, 287, true}, {"userfaultfd", 323, 374, true}, {"name_to_handle_at", 303, 341, true},
	{"stime", 0, 25, false}, {"unknown", 4000, 4000, false},
}

const x32 = 0x40000000

// callAll makes the calls through all three entries, with arguments that mean nothing.
func callAll(prefix string) {
	name := func(e unix.Errno) string {
		if e == 0 {
			return "OK"
		}
		return unix.ErrnoName(e)
	}
	const none = ^uintptr(0)
	for _, c := range systemCalls {
		if c.amd64 != 0 {
			_, _, e := unix.RawSyscall6(c.amd64, none, none, none, none, none, none)
			say(prefix+"S15 "+c.name, name(e))
			_, _, e = unix.RawSyscall6(c.amd64|x32, none, none, none, none, none, none)
			say(prefix+"S15 x32 "+c.name, name(e))
		}
		say(prefix+"S15 i386 "+c.name, name(legacy(c.i386, none)))
	}
}

// legacy makes a call by the 32-bit entry. Where the kernel has none, it does not exist.
func legacy(nr, arg uintptr) (e unix.Errno) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			e = unix.ENOSYS
		}
	}()
	return unix.Errno(-min(0, int32(int80(nr, arg, arg, arg))))
}
