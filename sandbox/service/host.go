package service

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"ctl/internal/clock"
)

// What the meaning of some values depends on: the machine.

// personalityOf is the number of an architecture whose programs this machine can run, personality(2).
func personalityOf(name string) (uint, bool) {
	const linux32 = 0x0008
	switch runtime.GOARCH {
	case "amd64":
		switch name {
		case "x86-64":
			return 0, true
		case "x86":
			return linux32, true
		}
	case "386":
		return linux32, name == "x86"
	case "arm64":
		switch name {
		case "arm64":
			return 0, true
		case "arm":
			return linux32, true
		}
	case "s390x":
		switch name {
		case "s390x":
			return 0, true
		case "s390":
			return linux32, true
		}
	case "ppc64le":
		return 0, name == "ppc64-le"
	case "riscv64", "loong64":
		return 0, name == strings.Replace(runtime.GOARCH, "loong64", "loongarch64", 1)
	}
	return 0, false
}

// ownUMask is our umask, which a user's manager leaves to services, proc_pid_status(5).
func ownUMask(otherwise uint32) uint32 {
	data, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "Umask:"); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(v), 8, 12); err == nil {
				return uint32(n)
			}
		}
	}
	return otherwise
}

// possibleNodes are the NUMA nodes that there can be.
func possibleNodes() []int {
	data, err := os.ReadFile("/sys/devices/system/node/possible")
	if err != nil {
		return []int{0}
	}
	var set []int
	for r := range strings.SplitSeq(strings.TrimSpace(string(data)), ",") {
		first, last, ranged := strings.Cut(r, "-")
		a, _ := strconv.Atoi(first)
		b := a
		if ranged {
			b, _ = strconv.Atoi(last)
		}
		for ; a <= b; a++ {
			set = append(set, a)
		}
	}
	return set
}

// nanoseconds reads a time of which a plain number is nanoseconds.
func nanoseconds(s string) (uint64, error) {
	if n, err := strconv.ParseUint(strings.TrimSuffix(s, "ns"), 10, 64); err == nil {
		return n, nil
	}
	v, err := clock.ParseSpan(s, clock.Second)
	if v < clock.Infinity/1000 {
		v *= 1000
	}
	return v, err
}
