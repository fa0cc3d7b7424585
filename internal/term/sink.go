package term

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// What takes messages, by the names that SYSTEMD_LOG_LEVEL has for it.
const (
	console = iota // standard error
	kernel
	journal
	syslog
)

var sinkNames = [...]string{"console", "kmsg", "journal", "syslog"}

// daemon is the facility of messages, syslog(3), shifted to its place in a priority.
const daemon = 3 << 3

func prefix(level Level) string { return "<" + strconv.Itoa(daemon|int(level)) + ">" }

// A sink is where messages go. Where nobody listens that is the console, the zero value.
type sink struct {
	kind int
	fd   int
}

// openSink finds who SYSTEMD_LOG_TARGET means.
func openSink(target string) sink {
	open := func(kind int, path string) (sink, bool) {
		if kind == kernel {
			fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
			return sink{kind, fd}, err == nil
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return sink{}, false
		}
		if unix.Connect(fd, &unix.SockaddrUnix{Name: path}) != nil {
			unix.Close(fd)
			return sink{}, false
		}
		return sink{kind, fd}, true
	}
	var s sink
	found := false
	switch target {
	case "journal", "journal-or-kmsg":
		s, found = open(journal, "/run/systemd/journal/socket")
	case "syslog", "syslog-or-kmsg":
		s, found = open(syslog, "/dev/log")
	}
	switch target {
	case "journal-or-kmsg", "syslog-or-kmsg", "kmsg":
		if !found {
			s, found = open(kernel, "/dev/kmsg")
		}
	}
	if !found {
		return sink{}
	}
	return s
}

// write hands a line over. It reports whether somebody took it.
func (s sink) write(program string, level Level, line string) bool {
	self := program + "[" + strconv.Itoa(os.Getpid()) + "]: " + line
	text := ""
	switch s.kind {
	case kernel:
		text = prefix(level) + self + "\n"
	case syslog:
		text = prefix(level) + time.Now().Format(time.Stamp) + " " + self
	case journal:
		// systemd's "Native Journal Protocol".
		text = "PRIORITY=" + strconv.Itoa(int(level)) + "\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=" + program + "\nMESSAGE=" + line + "\n"
	}
	_, err := unix.Write(s.fd, []byte(text))
	return err == nil
}
