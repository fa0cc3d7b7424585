package control

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
)

func setKernelCmdline(c *Call, v string) error {
	if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return cli.Usage("--kernel-cmdline= argument contains invalid characters: " + v)
	}
	c.Opt.KernelCmdline = v
	return nil
}

func setKernelCmdlineReuse(c *Call, _ string) error { c.Opt.ReuseCmdline = true; return nil }

// prepareKexec loads a kernel, without which it goes on if it is forced to.
func (c *Call) prepareKexec() error {
	err := c.loadKernel()
	if err == nil || c.Opt.Force == 0 {
		return err
	}
	c.Log(term.Err, err.Error())
	c.Log(term.Notice, "Failed to load kexec kernel, continuing without.")
	return nil
}

// loadKernel loads the kernel of the default boot loader entry for kexec(8), unless one is loaded.
func (c *Call) loadKernel() error {
	if kexecLoaded() {
		if c.Opt.KernelCmdline != "" || c.Opt.ReuseCmdline {
			return cli.Usage("--kernel-cmdline=/--kernel-cmdline-reuse specified but kexec kernel already loaded")
		}
		return nil
	}
	b, err := c.bootConfig()
	if err == syscall.ENOKEY {
		why := "Automatic loading works only on systems booted with EFI."
		if c.onEFI() {
			why = "Cannot automatically load kernel: ESP mount point not found."
		}
		return cli.Usage("No kexec kernel loaded and autodetection failed.\n" + why)
	}
	if err != nil {
		return err
	}
	e, err := c.defaultEntry(b)
	switch {
	case err != nil:
		return err
	case len(e.initrds) > 1:
		return cli.Usage("Boot entry specifies multiple initrds, which is not supported currently.")
	case e.linux == "":
		return cli.Usage("Boot entry does not refer to Linux kernel, which is not supported currently.")
	}
	kernel, initrd, cmdline := e.root+e.linux, "", strings.Join(e.options, " ")
	for _, more := range [...]string{c.currentCmdline(), c.Opt.KernelCmdline} {
		if more != "" {
			cmdline = strings.TrimPrefix(cmdline+" "+more, " ")
		}
	}
	text := `kexec_file_load() kernel="` + kernel + `" cmdline="` + cmdline + `"`
	if len(e.initrds) > 0 {
		initrd = e.root + e.initrds[0]
		text += ` initrd="` + initrd + `"`
	}
	if c.Opt.DryRun {
		c.Log(term.Info, "Would call "+text)
		return nil
	}
	c.Log(term.Info, "Calling "+text)
	return c.kexecLoad(kernel, initrd, cmdline)
}

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
func (c *Call) kexecLoad(kernel, initrd, cmdline string) error {
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
	if errors.Is(err, syscall.ENOEXEC) || errors.Is(err, syscall.EINVAL) {
		if p, failed := openProgram(k); failed == nil && p.kernel {
			err = p.kexecLoad(i, cmdline)
		}
	}
	if err == nil {
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

// kexecLoad has the kernel load that of a unified kernel image, with its own initrd if there is no other.
func (p *program) kexecLoad(initrd *os.File, cmdline string) error {
	unpack := func(name string) (*os.File, error) {
		s := among(p.sections, name)
		if s == nil {
			return nil, nil
		}
		f, err := sys.MemoryFile("kexec" + name)
		if err == nil {
			_, err = io.Copy(f, p.contents(s))
		}
		return f, err
	}
	kernel, err := unpack(".linux")
	if err != nil {
		return err
	}
	defer kernel.Close()
	if initrd == nil {
		if initrd, err = unpack(".initrd"); err != nil {
			return err
		}
		defer initrd.Close()
	}
	return sys.KexecLoad(kernel, initrd, cmdline)
}
