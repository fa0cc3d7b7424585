package dmverity

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A mapper is the kernel's device mapper, and a device of it, by a name that nobody else has.
type mapper struct {
	*os.File
	name string
}

// request is struct dm_ioctl, linux/dm-ioctl.h, with room for one target and its line.
type request struct {
	version                                            [3]uint32
	size, start, targets, opens, flags, event, padding uint32
	dev                                                uint64
	name                                               [128]byte
	uuid                                               [129]byte
	_                                                  [7]byte
	target                                             struct {
		start, length uint64
		status        int32
		next          uint32
		kind          [16]byte
	}
	line [1024]byte
}

// The commands of the device mapper, and the flags that are used.
const (
	commandCreate  = 3
	commandRemove  = 4
	commandResume  = 6 // suspend, without the flag for it
	commandLoad    = 9
	header         = 312
	flagReadOnly   = 1 << 0
	flagDeferred   = 1 << 17
	commandsNumber = 0xC138FD00 // _IOWR(0xfd, 0, struct dm_ioctl)
)

func openMapper() (*mapper, error) {
	f, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if errors.Is(err, unix.ENOENT) {
		// Where /dev has not the node, its number is the same everywhere, and opening it has the kernel load the module.
		if os.Mkdir("/dev/mapper", 0o755); unix.Mknod("/dev/mapper/control", unix.S_IFCHR|0o600, int(unix.Mkdev(10, 236))) == nil {
			f, err = os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w: %w", ErrNoKernel, unix.EOPNOTSUPP, err)
	}
	return &mapper{f, fmt.Sprintf("ctl-%016x", rand.Uint64())}, nil
}

// call makes a request about the device.
func (m *mapper) call(command uintptr, r *request) error {
	r.version, r.size, r.start = [3]uint32{4, 0, 0}, uint32(unsafe.Sizeof(*r)), header
	copy(r.name[:], m.name)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, m.Fd(), commandsNumber|command, uintptr(unsafe.Pointer(r))); e != 0 {
		return e
	}
	return nil
}

// device makes the device, with so many sectors of 512 bytes, opens it, and leaves its removal to the kernel, for when it is closed.
func (m *mapper) device(sectors uint64, line string) (_ *os.File, err error) {
	var created request
	created.flags = flagReadOnly
	copy(created.uuid[:], "CTL-VERITY-"+m.name)
	if err := m.call(commandCreate, &created); err != nil {
		return nil, fmt.Errorf("make a device: %w", err)
	}
	defer func() { // which is at once if it is not open
		if e := m.call(commandRemove, &request{flags: flagDeferred}); err == nil && e != nil {
			err = fmt.Errorf("have a device removed: %w", e)
		}
	}()
	load := request{targets: 1, flags: flagReadOnly}
	load.target.length, load.target.next = sectors, uint32(unsafe.Sizeof(load.target)+unsafe.Sizeof(load.line))
	copy(load.target.kind[:], "verity")
	if len(line) >= len(load.line) {
		return nil, unix.E2BIG
	}
	copy(load.line[:], line)
	if err := m.call(commandLoad, &load); err != nil {
		if _, e := os.Stat("/sys/module/dm_verity"); errors.Is(e, unix.ENOENT) {
			return nil, fmt.Errorf("%w: %w", ErrNoKernel, unix.EOPNOTSUPP)
		}
		return nil, fmt.Errorf("set up dm-verity: %w", err)
	}
	if err := m.call(commandResume, &request{flags: flagReadOnly}); err != nil {
		return nil, fmt.Errorf("start dm-verity: %w", err)
	}
	return openDevice(created.dev)
}

// openDevice opens the device with a number, as the kernel writes it there.
func openDevice(dev uint64) (*os.File, error) {
	minor := unix.Minor(dev)
	return os.OpenFile("/dev/dm-"+strconv.FormatUint(uint64(minor), 10), os.O_RDONLY, 0)
}
