package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	socketName = "@ctl-spawn-guard"
	keyName    = "ctl-spawn-guard"
)

// act does what is needed beside a container, or a single thing in it.
func act(word string, args []string) {
	var err error
	switch word {
	case "elf": // FILE LOADER: an executable that has this loader
		err = os.WriteFile(args[0], executable(args[1]), 0o755)
	case "listen": // COMMAND: with a socket that a container should not reach
		fd, e := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err = e; err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: socketName})
		}
		if err == nil {
			err = unix.Listen(fd, 5)
		}
		if err == nil {
			err = run(args)
		}
	case "without": // CALL COMMAND
		err = without(args)
	case "keys": // COMMAND: with keys that a container should not find, in a session of their own
		err = withKeys(args)
	case "see":
		see("")
	case "typing": // into the terminal that is the standard input
		c := int32('x')
		_, _, e := unix.Syscall(unix.SYS_IOCTL, 0, unix.TIOCSTI, uintptr(pointer(&c)))
		say("S12 TIOCSTI", unix.ErrnoName(e))
		c = 3 // paste
		_, _, e = unix.Syscall(unix.SYS_IOCTL, 0, unix.TIOCLINUX, uintptr(pointer(&c)))
		say("S12 TIOCLINUX", unix.ErrnoName(e))
		_, _, e = unix.Syscall(unix.SYS_IOCTL, 0, unix.TIOCSTI|1<<32, uintptr(pointer(&c)))
		say("S12 TIOCSTI with a bit", unix.ErrnoName(e))
	case "forks": // until one fails
		for n := range 4096 {
			cmd := exec.Command("/usr/bin/busybox", "sleep", "60")
			if err := cmd.Start(); err != nil {
				fmt.Println("S24 forks end:", err, n < 100)
				os.Exit(0)
			}
		}
	case "swap": // A B: exchanges two names again and again
		for {
			if unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], unix.RENAME_EXCHANGE) != nil {
				return
			}
		}
	case "killer": // TIMES STEP MARK LOCK COMMAND
		times, _ := strconv.Atoi(args[0])
		step, _ := strconv.Atoi(args[1])
		err = killer(times, step, args[2], args[3], args[4:])
	case "repeat": // TIMES COMMAND
		times, _ := strconv.Atoi(args[0])
		err = repeat(times, args[1:])
	case "reboot":
		say("reboot", unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART))
	default:
		err = fmt.Errorf("%q means nothing", word)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func withKeys(args []string) error {
	if _, err := unix.KeyctlJoinSessionKeyring("ctl-spawn-guard"); err != nil {
		return err
	}
	// The keys may be found by whoever has them in a keyring. Both go when we end: the session's with it.
	if _, err := unix.AddKey("user", keyName, []byte("x"), unix.KEY_SPEC_SESSION_KEYRING); err != nil {
		return err
	}
	id, err := unix.AddKey("user", keyName, []byte("x"), unix.KEY_SPEC_USER_KEYRING)
	if err != nil {
		return err
	}
	err = run(args)
	_, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0)
	return err
}

// executable is an x86-64 program that does nothing but has a loader.
func executable(loader string) []byte {
	loader += "\x00"
	var b bytes.Buffer
	b.WriteString("\x7fELF\x02\x01\x01" + string(make([]byte, 9)))
	const header, entry = 64, 56
	text := uint64(header + 2*entry + len(loader))
	for _, v := range []any{uint16(2), uint16(62), uint32(1), 0x400000 + text, uint64(header), uint64(0), uint32(0), uint16(header),
		uint16(entry), uint16(2), uint16(0), uint16(0), uint16(0)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	size := uint64(len(loader))
	for _, v := range []any{
		uint32(3), uint32(4), uint64(header + 2*entry), uint64(0x400000 + header + 2*entry), uint64(0), size, size, uint64(1),
		uint32(1), uint32(5), uint64(0), uint64(0x400000), uint64(0), text + 16, text + 16, uint64(0x1000)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString(loader)
	b.WriteString("\x31\xff\xb8\x3c\x00\x00\x00\x0f\x05" + string(make([]byte, 7))) // exit(0)
	return b.Bytes()
}

// killer starts a command again and again and kills it after a while that becomes longer each time. The command's container has
// processes whose command line has the mark. It says how often what was wrong.
func killer(times, step int, mark, lock string, command []string) error {
	for i := range times {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return err
		}
		time.Sleep(time.Duration(i*step) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		deadline := time.Now().Add(5 * time.Second)
		for lock != "" && locked(lock) {
			if time.Now().After(deadline) {
				say("locked for ever after", i*step)
				return nil
			}
		}
		if n := alive(mark); n > 0 && lock != "" {
			say("alive though nothing is locked", n)
		}
		for alive(mark) > 0 {
			if time.Now().After(deadline) {
				say("alive for ever after", i*step)
				return nil
			}
			time.Sleep(time.Millisecond)
		}
	}
	say("killed", times)
	return nil
}

// locked tells whether somebody has the lock of a file.
func locked(file string) bool {
	fd, err := unix.Open(file, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}) != nil
}

// alive counts the processes of a container.
func alive(mark string) int {
	n := 0
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		words, _ := os.ReadFile(f) // nothing, of a zombie
		if !bytes.Contains(words, []byte("attack")) && bytes.Contains(words, []byte(mark)) {
			n++
		}
	}
	return n
}

// repeat runs a command many times, and says whether it became slower.
func repeat(times int, command []string) error {
	var took []time.Duration
	for range times {
		begin := time.Now()
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		took = append(took, time.Since(begin))
	}
	n := times / 5
	first, last := median(took[:n]), slices.Min(took[times-n:]) // whatever else the machine does, what was left would slow down all of them
	say("became slower", last > 2*first+10*time.Millisecond)
	return nil
}

func median(l []time.Duration) time.Duration {
	slices.Sort(l)
	return l[len(l)/2]
}
