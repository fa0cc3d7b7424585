package control

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// bootEntriesDir is where a machine without EFI has boot loader entries.
const bootEntriesDir = "/run/boot-loader-entries/"

// A bootEntry is a kernel that a boot loader offers, as the UAPI Group's Boot Loader Specification writes it (type 1).
type bootEntry struct {
	id                        string // the file's name without its count of tries
	spent                     bool   // it has been tried as often as it may be
	version, machine, sortKey string
	linux, options            string
	initrds                   []string
}

func setKernelCmdline(c *Call, v string) error {
	if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return cli.Usage("--kernel-cmdline= argument contains invalid characters: " + v)
	}
	c.Opt.KernelCmdline = v
	return nil
}

func setKernelCmdlineReuse(c *Call, _ string) error { c.Opt.ReuseCmdline = true; return nil }

// loadKernel loads the kernel of the default boot loader entry for kexec(8), unless one is loaded.
func (c *Call) loadKernel() error {
	if kexecLoaded() {
		return nil
	}
	if _, err := os.Stat(bootEntriesDir); err != nil {
		return cli.Usage("No kexec kernel loaded and autodetection failed.\nAutomatic loading works only on systems booted with EFI.")
	}
	e, err := c.defaultEntry()
	switch {
	case err != nil:
		return err
	case len(e.initrds) > 1:
		return cli.Usage("Boot entry specifies multiple initrds, which is not supported currently.")
	case e.linux == "":
		return cli.Usage("Boot entry does not refer to Linux kernel, which is not supported currently.")
	}
	kernel, initrd, cmdline := entryPath(e.linux), "", e.options
	for _, more := range [...]string{c.currentCmdline(), c.Opt.KernelCmdline} {
		if more != "" {
			cmdline = strings.TrimPrefix(cmdline+" "+more, " ")
		}
	}
	text := `kexec_file_load() kernel="` + kernel + `" cmdline="` + cmdline + `"`
	if len(e.initrds) > 0 {
		initrd = entryPath(e.initrds[0])
		text += ` initrd="` + initrd + `"`
	}
	if c.Opt.DryRun {
		c.Log(term.Info, "Would call "+text)
		return nil
	}
	c.Log(term.Info, "Calling "+text)
	return kexecLoad(kernel, initrd, cmdline)
}

func entryPath(p string) string { return bootEntriesDir + "/" + strings.TrimPrefix(p, "/") }

// currentCmdline is the kernel command line of now, or that of the first process of a container, if it is to be used again.
func (c *Call) currentCmdline() string {
	if !c.Opt.ReuseCmdline {
		return ""
	}
	file := "/proc/cmdline"
	if c.Where.Container() != "" {
		file = "/proc/1/cmdline"
	}
	b, _ := os.ReadFile(file)
	return strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
}

// kexecLoad has the kernel load another one, or kexec(8) do it where the kernel cannot.
func kexecLoad(kernel, initrd, cmdline string) error {
	k, err := os.Open(kernel)
	if err != nil {
		return Failure{"open kernel '" + kernel + "'", err}
	}
	defer k.Close()
	var i *os.File
	args := []string{"--load", kernel, "--append", cmdline}
	if initrd != "" {
		if i, err = os.Open(initrd); err != nil {
			return Failure{"open initrd '" + initrd + "'", err}
		}
		defer i.Close()
		args = append(args, "--initrd", initrd)
	}
	err = sys.KexecLoad(k, i, cmdline)
	if !errors.Is(err, syscall.ENOSYS) && !errors.Is(err, syscall.EPERM) {
		if err != nil {
			return Failure{"load kernel", err}
		}
		return nil
	}
	const program = "/usr/sbin/kexec"
	if _, err := exec.LookPath(program); err != nil {
		return cli.Usage(program + " is not available: " + strerror(err))
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return cli.Usage("'(kexec)' failed with exit status " + strconv.Itoa(exit.ExitCode()) + ".")
	}
	return err
}

// defaultEntry is the entry that a boot loader would take: the first that the pattern in loader.conf fits, or the first.
func (c *Call) defaultEntry() (bootEntry, error) {
	files, _ := filepath.Glob(bootEntriesDir + "loader/entries/*.conf")
	var l []bootEntry
	for _, f := range files {
		if i, err := os.Stat(f); err == nil && i.Mode().IsRegular() && !strings.HasPrefix(filepath.Base(f), ".") {
			l = append(l, c.readEntry(f))
		}
	}
	if len(l) == 0 {
		return bootEntry{}, cli.Usage("No boot loader entry suitable as default, refusing to guess.")
	}
	slices.SortFunc(l, compareEntries)
	pattern := ""
	if conf, err := os.ReadFile(bootEntriesDir + "loader/loader.conf"); err == nil {
		for line := range strings.Lines(string(conf)) {
			if key, value := keyAndValue(line); key == "default" {
				pattern = value
			}
		}
	}
	if i := slices.IndexFunc(l, func(e bootEntry) bool { return pattern != "" && unit.Fnmatch(pattern, e.id) }); i >= 0 {
		return l[i], nil
	}
	return l[0], nil
}

func keyAndValue(line string) (key, value string) {
	line = strings.TrimSpace(line)
	at := strings.IndexAny(line, " \t")
	if at < 0 {
		return line, ""
	}
	return line[:at], strings.TrimSpace(line[at:])
}

func (c *Call) readEntry(file string) bootEntry {
	name := strings.TrimSuffix(filepath.Base(file), ".conf")
	id, tries, _ := strings.Cut(name, "+")
	e := bootEntry{id: id + ".conf", spent: tries == "0" || strings.HasPrefix(tries, "0-")}
	b, _ := os.ReadFile(file)
	number := 0
	for line := range strings.Lines(string(b)) {
		number++
		key, value := keyAndValue(line)
		switch key {
		case "version":
			e.version = value
		case "machine-id":
			e.machine = value
		case "sort-key":
			e.sortKey = value
		case "linux":
			e.linux = value
		case "options":
			e.options = strings.TrimPrefix(e.options+" "+value, " ")
		case "initrd":
			e.initrds = append(e.initrds, value)
		case "title", "architecture", "devicetree", "devicetree-overlay", "efi", "uki", "uki-url", "profile", "extra", "":
		default:
			if !strings.HasPrefix(key, "#") {
				c.Log(term.Warning, file+":"+strconv.Itoa(number)+": Unknown line '"+key+"', ignoring.")
			}
		}
	}
	return e
}

// compareEntries sorts the entry first that is to be taken rather.
func compareEntries(a, b bootEntry) int {
	switch {
	case a.spent != b.spent:
		return order(b.spent, a.spent)
	case (a.sortKey == "") != (b.sortKey == ""):
		return order(a.sortKey != "", b.sortKey != "")
	}
	if a.sortKey != "" {
		for _, n := range [...]int{strings.Compare(a.sortKey, b.sortKey), strings.Compare(a.machine, b.machine), -compareVersions(a.version, b.version)} {
			if n != 0 {
				return n
			}
		}
	}
	return -compareVersions(a.id, b.id)
}

// order sorts what is first.
func order(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

// compareVersions compares the parts that are numbers as numbers and the others as text.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		partA, partB := leading(a), leading(b)
		a, b = a[len(partA):], b[len(partB):]
		numberA, numberB := strings.TrimLeft(partA, "0"), strings.TrimLeft(partB, "0")
		if isDigit(partA[0]) && isDigit(partB[0]) {
			if n := len(numberA) - len(numberB); n != 0 {
				return n
			}
			partA, partB = numberA, numberB
		}
		if n := strings.Compare(partA, partB); n != 0 {
			return n
		}
	}
	return len(a) - len(b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// leading are the bytes at the beginning that are digits, or that are none.
func leading(s string) string {
	n := 1
	for n < len(s) && isDigit(s[n]) == isDigit(s[0]) {
		n++
	}
	return s[:n]
}
