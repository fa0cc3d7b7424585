package container

import (
	"bytes"
	"debug/elf"
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

// elfInterpreter is the loader that an executable names, elf(5).
func elfInterpreter(f *os.File) (string, error) {
	e, err := elf.NewFile(f)
	if err != nil {
		return "", err
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < unix.PathMax {
			data := make([]byte, p.Filesz)
			if _, err := p.ReadAt(data, 0); err != nil {
				return "", err
			}
			return string(bytes.TrimRight(data, "\x00")), nil
		}
	}
	return "", errors.ErrUnsupported
}
