package container

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// checkExec refuses a payload that would have the kernel run our own program inside: when it is executed, /proc/self/exe
// still is ctl, so nothing of /proc may be it, its interpreter or its loader.
func (b *builder) checkExec() error {
	p := &b.c.Process
	for _, name := range p.Paths {
		if !path.IsAbs(name) {
			name = path.Join("/", p.Dir, name)
		}
		if err := b.checkFile(name, 0); err != nil {
			return err
		}
	}
	return nil
}

// interpreters is how many interpreters the kernel follows.
const interpreters = 5

func (b *builder) checkFile(name string, depth int) error {
	if depth > interpreters {
		return nil // the kernel refuses it itself
	}
	real, err := b.root.Resolve(name, true)
	if err != nil {
		return nil // as above
	}
	refused := &PayloadFailure{Failure{"execv(" + name + ") failed", unix.EACCES}}
	if strings.HasPrefix(real+"/", "/proc/") {
		return refused
	}
	fd, err := b.root.Handle(real, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), real)
	defer f.Close()
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) == nil && int64(fs.Type) == unix.PROC_SUPER_MAGIC {
		return refused
	}
	head := make([]byte, 256) // BINPRM_BUF_SIZE
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		if words := strings.Fields(string(line)); len(words) > 0 {
			return b.checkFile(words[0], depth+1)
		}
		return nil
	}
	loader, err := elfInterpreter(f)
	if err != nil || loader == "" {
		return nil
	}
	return b.checkFile(loader, depth+1)
}

// elfInterpreter is the loader that an executable names, elf(5). The standard library's reader would be paid for by every start of ctl.
func elfInterpreter(f *os.File) (string, error) {
	head := make([]byte, 64)
	if _, err := f.ReadAt(head, 0); err != nil || string(head[:4]) != "\x7fELF" {
		return "", errors.ErrUnsupported
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	wide := head[4] == 2
	// number is a field of a header: an address or size, whose width depends on the class.
	number := func(b []byte, at32, at64 int) int64 {
		if wide {
			return int64(order.Uint64(b[at64:]))
		}
		return int64(order.Uint32(b[at32:]))
	}
	table, size, count := number(head, 28, 32), 32, int(order.Uint16(head[44:]))
	if wide {
		size, count = 56, int(order.Uint16(head[56:]))
	}
	entry := make([]byte, size)
	for i := range count {
		if _, err := f.ReadAt(entry, table+int64(i*size)); err != nil {
			return "", err
		}
		const interp = 3 // PT_INTERP
		length := number(entry, 16, 32)
		if order.Uint32(entry) != interp || length <= 0 || length >= unix.PathMax {
			continue
		}
		name := make([]byte, length)
		if _, err := f.ReadAt(name, number(entry, 4, 8)); err != nil {
			return "", err
		}
		name, _, _ = bytes.Cut(name, []byte{0})
		return string(name), nil
	}
	return "", nil
}
