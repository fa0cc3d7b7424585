package cgroup

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// A Device is one that may be used, or several.
type Device struct {
	Kind         uint32 // Block, Char
	Major, Minor int32  // Any
	Access       uint32 // Make, Read, Write
}

// What kind a device is and what may be done with it, bpf_cgroup_dev_ctx in linux/bpf.h, and a number that is any.
const (
	Block = 1
	Char  = 2

	Make  = 1
	Read  = 2
	Write = 4
	All   = Make | Read | Write

	Any = -1
)

// The parts of what a program that decides about devices is told.
const (
	ctxKind  = 0 // in the lower half; what is to be done in the upper
	ctxMajor = 4
	ctxMinor = 8
)

// devicePolicy is a program that lets the processes of a group use only such devices.
func devicePolicy(devices []Device) []insn {
	const ctx, kind, access, major, minor, may = 1, 2, 3, 4, 5, 6 // registers
	l := []insn{
		{code: load, regs: ctx<<4 | kind, off: ctxKind},
		{code: copied, regs: kind<<4 | access},
		{code: and, regs: kind, imm: 0xffff},
		{code: shift, regs: access, imm: 16},
		{code: load, regs: ctx<<4 | major, off: ctxMajor},
		{code: load, regs: ctx<<4 | minor, off: ctxMinor},
	}
	for _, d := range devices {
		tests := []insn{{code: jumpNot, regs: kind, imm: int32(d.Kind)}}
		if d.Access != All {
			tests = append(tests, insn{code: copied, regs: access<<4 | may}, insn{code: and, regs: may, imm: int32(d.Access)}, insn{code: jumpNotX, regs: access<<4 | may})
		}
		if d.Major != Any {
			tests = append(tests, insn{code: jumpNot, regs: major, imm: d.Major})
		}
		if d.Minor != Any {
			tests = append(tests, insn{code: jumpNot, regs: minor, imm: d.Minor})
		}
		l = append(append(l, past(tests)...), answer(1)...)
	}
	return append(l, answer(0)...)
}

// Usual are the devices that everybody may use: null, zero and so on, and terminals.
func Usual() []Device {
	l := []Device{{Char, 1, 3, All}, {Char, 1, 5, All}, {Char, 1, 7, All}, {Char, 1, 8, All}, {Char, 1, 9, All}, {Char, 5, 0, All}, {Char, 5, 2, All},
		{Char, 0, 0, All}, {Block, 0, 0, All}} // the last two are what lies over what is inaccessible
	for major := int32(136); major < 144; major++ { // of /dev/pts
		l = append(l, Device{Char, major, Any, Read | Write})
	}
	return l
}

// RestrictDevices lets the processes of the group use no devices but these.
func (g *Group) RestrictDevices(l []Device) error {
	return g.attach(unix.BPF_PROG_TYPE_CGROUP_DEVICE, unix.BPF_CGROUP_DEVICE, devicePolicy(l))
}

// Devices are those that DevicePolicy= and DeviceAllow= leave; ok is false for all.
func (l Limits) Devices() (devices []Device, ok bool) {
	policy, _ := l.Last("DevicePolicy")
	allow := l.each("DeviceAllow")
	if (policy == "" || policy == "auto") && len(allow) == 0 {
		return nil, false
	}
	if policy != "strict" {
		devices = Usual()
	}
	for _, a := range allow {
		devices = append(devices, allowed(a)...)
	}
	return devices, true
}

// allowed are the devices of one DeviceAllow=. Those that are not there are none, as in the reference.
func allowed(value string) (l []Device) {
	name, rights, _ := strings.Cut(value, " ")
	access := uint32(0)
	for _, r := range [...]struct {
		letter string
		access uint32
	}{{"r", Read}, {"w", Write}, {"m", Make}} {
		if strings.Contains(rights, r.letter) {
			access |= r.access
		}
	}
	if access == 0 {
		access = All
	}
	for prefix, kind := range map[string]uint32{"char-": Char, "block-": Block} {
		pattern, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if pattern == "*" {
			return []Device{{kind, Any, Any, access}}
		}
		if n, err := unit.Unsigned(pattern, 20); err == nil {
			return []Device{{kind, int32(n), Any, access}}
		}
		for _, major := range majors(kind, pattern) {
			l = append(l, Device{kind, major, Any, access})
		}
		return l
	}
	var st unix.Stat_t
	if err := unix.Stat(name, &st); errors.Is(err, unix.ENOENT) {
		return numbered(name, access)
	} else if err != nil {
		return nil
	}
	kind := map[uint32]uint32{unix.S_IFCHR: Char, unix.S_IFBLK: Block}[st.Mode&unix.S_IFMT]
	if kind == 0 {
		return nil
	}
	return []Device{{kind, int32(unix.Major(st.Rdev)), int32(unix.Minor(st.Rdev)), access}}
}

// numbered is the device of a path /dev/char/MAJOR:MINOR that need not be there.
func numbered(name string, access uint32) []Device {
	for prefix, kind := range map[string]uint32{"/dev/char/": Char, "/dev/block/": Block} {
		if number, ok := strings.CutPrefix(name, prefix); ok {
			a, b, _ := strings.Cut(number, ":")
			major, err := strconv.ParseUint(a, 10, 12)
			minor, err2 := strconv.ParseUint(b, 10, 20)
			if err == nil && err2 == nil {
				return []Device{{kind, int32(major), int32(minor), access}}
			}
		}
	}
	return nil
}

// majors are the numbers of the drivers whose names fit a pattern, proc_devices(5).
func majors(kind uint32, pattern string) (l []int32) {
	data, _ := os.ReadFile("/proc/devices")
	section := uint32(0)
	for line := range strings.Lines(string(data)) {
		switch line = strings.TrimSpace(line); line {
		case "Character devices:":
			section = Char
			continue
		case "Block devices:":
			section = Block
			continue
		}
		number, name, ok := strings.Cut(line, " ")
		n, err := strconv.ParseInt(number, 10, 32)
		if ok && err == nil && section == kind && unit.Fnmatch(pattern, name) {
			l = append(l, int32(n))
		}
	}
	return l
}
