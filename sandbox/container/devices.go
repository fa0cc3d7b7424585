package container

import (
	"os"
	"path"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deviceOf is the number of the device that is open as fd, 0 if that is no device.
func deviceOf(fd int) uint64 {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR && st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0
	}
	return st.Rdev
}

// The context of a program that decides about devices, bpf_cgroup_dev_ctx in linux/bpf.h: what kind and for what, and the two numbers.
const (
	ctxKind  = 0
	ctxMajor = 4
	ctxMinor = 8
	kindChar = 2
	anyMinor = -1
)

// A bpfInsn is an instruction of BPF, linux/bpf.h.
type bpfInsn struct {
	code uint8
	regs uint8 // the destination in the lower half
	off  int16
	imm  int32
}

// devicePolicy is a program that lets the processes of a cgroup open the devices that every container has, and those of more.
func devicePolicy(more []uint64) []bpfInsn {
	const load, jumpNot = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W, unix.BPF_JMP | 0x50 | unix.BPF_K // JNE
	set := func(reg uint8, value int32) bpfInsn { return bpfInsn{code: 0x07 | 0xb0, regs: reg, imm: value} }
	exit := bpfInsn{code: unix.BPF_JMP | 0x90}
	l := []bpfInsn{
		{code: load, regs: 1<<4 | 2, off: ctxKind},
		{code: 0x07 | unix.BPF_AND, regs: 2, imm: 0xffff},
		{code: load, regs: 1<<4 | 3, off: ctxMajor},
		{code: load, regs: 1<<4 | 4, off: ctxMinor},
	}
	allow := func(kind, major, minor int32) {
		tests := []bpfInsn{{code: jumpNot, regs: 2, imm: kind}, {code: jumpNot, regs: 3, imm: major}}
		if minor != anyMinor {
			tests = append(tests, bpfInsn{code: jumpNot, regs: 4, imm: minor})
		}
		for i := range tests {
			tests[i].off = int16(len(tests) - i + 1) // behind what allows
		}
		l = append(append(l, tests...), set(0, 1), exit)
	}
	for _, d := range [][2]int32{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}} {
		allow(kindChar, d[0], d[1])
	}
	for major := int32(136); major < 144; major++ { // terminals
		allow(kindChar, major, anyMinor)
	}
	for _, d := range more {
		for kind := int32(1); kind <= kindChar; kind++ {
			allow(kind, int32(unix.Major(d)), int32(unix.Minor(d)))
		}
	}
	return append(l, set(0, 0), exit)
}

// RestrictDevices lets the processes of a cgroup, a directory of the unified hierarchy, use no devices but those that every container
// has and those that are mounted into this one.
func (c *Container) RestrictDevices(cgroup string) error {
	var more []uint64
	for i := range c.Mounts {
		if m := &c.Mounts[i]; m.Kind == Bind && !m.InTree {
			var st unix.Stat_t
			if unix.Stat(m.Source, &st) == nil && st.Rdev != 0 {
				more = append(more, st.Rdev)
			}
		}
	}
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.Device != 0 {
			more = append(more, uint64(n.Device))
		}
	}
	program := devicePolicy(more)
	license := [...]byte{'M', 'I', 'T', 0}
	load := struct {
		kind, count    uint32
		insns, license uint64
		_              [88]byte
	}{kind: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(len(program)),
		insns: uint64(uintptr(unsafe.Pointer(&program[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0])))}
	fd, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&load)), unsafe.Sizeof(load))
	runtime.KeepAlive(program)
	runtime.KeepAlive(&license)
	if e != 0 {
		return e
	}
	defer unix.Close(int(fd)) // the cgroup keeps it
	dir, err := os.Open(cgroup)
	if err != nil {
		return err
	}
	defer dir.Close()
	attach := struct{ target, program, kind, flags uint32 }{uint32(dir.Fd()), uint32(fd), unix.BPF_CGROUP_DEVICE, unix.BPF_F_ALLOW_MULTI}
	if _, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_ATTACH, uintptr(unsafe.Pointer(&attach)), unsafe.Sizeof(attach)); e != 0 {
		return e
	}
	return nil
}

// extra makes a device or fifo that the caller asked for, in a directory that is there.
func (b *builder) extra(n *DeviceNode) error {
	d, err := b.root.OpenDir(path.Dir(n.Path))
	if err != nil {
		return err
	}
	defer d.Close()
	return b.asOwner(func() error {
		name := path.Base(n.Path)
		if err := unix.Mknodat(d.Fd(), name, n.Mode, n.Device); err != nil {
			return err
		}
		s := b.c.shift()
		return unix.Fchownat(d.Fd(), name, s+int(n.UID), s+int(n.GID), unix.AT_SYMLINK_NOFOLLOW)
	})
}
