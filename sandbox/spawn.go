package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/sandbox/container"
	"ctl/sandbox/copytree"
	"ctl/sandbox/lock"
)

const familiesNote = "Note: in a future version of systemd-nspawn the default set of permitted socket address families will be restricted to " +
	"AF_INET, AF_INET6 and AF_UNIX. Use --restrict-address-families= to configure the set of permitted socket address families, " +
	"or set RestrictAddressFamilies= in a .nspawn file."

// spawn does what was asked for, and returns how it ended.
func (c *Call) spawn() error {
	o := &c.Opt
	if o.cleanup && o.ephemeral {
		return cli.Usage("Cannot specify --ephemeral with --cleanup.")
	}
	if os.Geteuid() != 0 {
		return cli.Usage("Need to be root.")
	}
	if err := c.findTree(); err != nil {
		return err
	}
	if err := c.loadFile(); err != nil {
		return err
	}
	if o.cleanup {
		return c.cleanUp()
	}
	if !o.restricted && c.systemdNspawn() {
		c.say(term.Notice, familiesNote)
	}
	c.decideConsole()
	if err := c.verify(); err != nil {
		return err
	}
	p, err := c.prepare()
	if err != nil {
		return err
	}
	defer p.release()
	if o.dryRun {
		return c.showPlan(p)
	}
	return c.runAll(p)
}

// machineDirs are where trees are found by name.
var machineDirs = [...]string{"/etc/machines", "/run/machines", "/var/lib/machines", "/var/lib/container", "/usr/local/lib/machines", "/usr/lib/machines"}

// findTree finds the tree and the name of the machine.
func (c *Call) findTree() error {
	o := &c.Opt
	if o.template != "" && o.directory == "" && o.machine != "" {
		o.directory = "/var/lib/machines/" + o.machine
	}
	if o.directory == "" && o.machine != "" {
		for _, d := range machineDirs {
			p := path.Join(d, o.machine)
			if st, err := os.Stat(p); err == nil && st.IsDir() {
				o.directory = p
				break
			}
		}
		if o.directory == "" {
			return cli.Usage("No image for machine '" + o.machine + "'.")
		}
	}
	if o.directory == "" {
		wd, err := os.Getwd()
		if err != nil {
			return fmt.Errorf("Failed to determine path: %w", err)
		}
		o.directory = wd
		if o.ephemeral && o.template != "" {
			o.directory = o.template
			o.template = ""
		}
	}
	if o.machine == "" {
		name := path.Base(path.Clean(o.directory))
		if path.Clean(o.directory) == "/" {
			name, _ = os.Hostname()
		}
		if o.machine = cleanName(name); o.machine == "" {
			return cli.Usage("Failed to determine machine name automatically, please use -M.")
		}
	}
	return nil
}

// cleanName makes of s a name that a machine can have.
func cleanName(s string) string {
	s = strings.TrimSuffix(strings.TrimSuffix(s, ".raw"), ".mstack")
	var b strings.Builder
	dot := true // none at the start, none after another
	for _, r := range s {
		switch {
		case r == '.':
			if dot {
				continue
			}
			dot = true
		case r == '-' && dot:
			continue
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			dot = false
		default:
			continue
		}
		b.WriteRune(r)
	}
	s = strings.TrimRight(b.String(), ".-")
	return s[:min(len(s), 64)]
}

// verify refuses what does not go together.
func (c *Call) verify() error {
	o := &c.Opt
	if o.hardened && o.networkPath == "" {
		o.privateNetwork = true
	}
	switch {
	case o.template != "" && o.ephemeral && o.given&givenDirectory != 0 && path.Clean(o.directory) != path.Clean(o.template):
		return cli.Usage("--ephemeral and --template= may not be combined.")
	case o.ephemeral && !o.linkJournalTry && (o.linkJournal == "host" || o.linkJournal == "guest"):
		return cli.Usage("--ephemeral and --link-journal={host,guest} may not be combined.")
	case o.start != startPayload && (o.shareSystem || c.shared("PID") || c.shared("UTS")):
		return cli.Usage("--boot cannot be used without namespacing.")
	case o.users == usersManaged && !o.privateNetwork && o.networkPath == "":
		return cli.Usage("Managed user namespace operation requires private networking, as otherwise /sys/ may not be mounted.")
	case o.users == usersManaged:
		return cli.Usage("--private-users=managed is not implemented yet.")
	case o.ownership == ownedByChown && o.readOnly:
		return cli.Usage("--read-only and --private-users-ownership=chown may not be combined.")
	case o.ownership == ownedByChown && o.volatile != container.VolatileNo:
		return cli.Usage("--volatile= and --private-users-ownership=chown may not be combined.")
	case o.networkPath != "" && (o.veth || len(o.interfaces) > 0):
		return cli.Usage("--network-namespace-path= cannot be combined with other network options.")
	case o.start == startBoot && o.ambient != 0:
		return cli.Usage("AmbientCapability= setting is not useful for boot mode.")
	}
	if o.start == startBoot && o.killSignal == 0 {
		o.killSignal = 37 // SIGRTMIN+3 tells systemd(1) to halt
	}
	if o.keepUnit && o.register == no && (o.slice != "" || len(o.properties) > 0) {
		c.say(term.Notice, "Machine and scope registration turned off, --slice= and --property= settings will have no effect.")
	}
	if o.users != usersNo && !o.ownershipGiven && o.users == usersPick {
		o.ownership = ownedAuto
	}
	return nil
}

// A prepared tree is one that is locked and ready to be started from.
type prepared struct {
	dir   string
	locks []*lock.Lock
	copy  *copytree.Temporary
}

func (p *prepared) release() {
	if p.copy != nil {
		_ = p.copy.Remove()
	}
	for _, l := range p.locks {
		l.Release()
	}
}

// fds are the descriptors of all locks.
func (p *prepared) fds() []int {
	var l []int
	for _, k := range p.locks {
		l = append(l, k.FDs()...)
	}
	if p.copy != nil {
		l = append(l, p.copy.FDs()...)
	}
	return l
}

// prepare finds the tree, copies it if it is to be copied, and locks it.
func (c *Call) prepare() (*prepared, error) {
	o := &c.Opt
	p := &prepared{}
	fail := func(err error) (*prepared, error) {
		p.release()
		return nil, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	if o.template != "" && !o.dryRun {
		if err := c.fromTemplate(ctx); err != nil {
			return fail(err)
		}
	}
	dir, err := filepath.EvalSymlinks(o.directory)
	if err != nil {
		return fail(fmt.Errorf("Failed to resolve path %s: %w", o.directory, errno(err)))
	}
	if dir == "/" && !o.ephemeral && o.volatile != container.VolatileYes && o.volatile != container.VolatileState {
		return fail(cli.Usage("Spawning container on root directory is not supported. Consider using --ephemeral, --volatile=yes or --volatile=state."))
	}
	p.dir = dir
	mode := lock.Exclusive
	if o.readOnly || o.volatile != container.VolatileNo || dir == "/" {
		mode = lock.Shared
	}
	if o.ephemeral { // the copy is locked; nobody minds who reads the tree
		if o.dryRun {
			return p, nil
		}
		if p.copy, err = c.copyOf(ctx, dir); err != nil {
			return fail(err)
		}
		p.dir = p.copy.Path
		if !o.machineGiven {
			o.machine = cleanName(o.machine + "-" + randomSuffix())
		}
		if err := c.looksLikeSystem(p.dir); err != nil {
			return fail(err)
		}
		return p, nil
	}
	l, err := lock.Image(dir, mode, os.Getenv)
	if errors.Is(err, lock.ErrBusy) {
		return fail(cli.Usage("Directory tree " + dir + " is currently busy."))
	}
	if err != nil {
		return fail(fmt.Errorf("Failed to lock %s: %w", dir, errno(err)))
	}
	p.locks = append(p.locks, l)
	if err := c.looksLikeSystem(p.dir); err != nil {
		return fail(err)
	}
	return p, nil
}

// randomSuffix tells one ephemeral container from others of its tree.
func randomSuffix() string { return fmt.Sprintf("%016x", rand.Uint64()) }

// looksLikeSystem refuses directories in which no system is.
func (c *Call) looksLikeSystem(dir string) error {
	t, err := tree.Open(dir)
	if err != nil {
		return fmt.Errorf("Unable to determine if %s looks like it has an OS tree (i.e. whether /usr/ exists): %w", dir, errno(err))
	}
	defer t.Close()
	if c.Opt.pivotRoot[0] != "" {
		return nil
	}
	if c.Opt.start == startBoot {
		for _, f := range []string{"/etc/os-release", "/usr/lib/os-release"} {
			if _, err := t.Stat(f); err == nil {
				return nil
			}
		}
		return cli.Usage("Directory " + dir + " doesn't look like an OS root directory (os-release file is missing). Refusing.")
	}
	if st, err := t.Stat("/usr"); err != nil || st.Kind != tree.Directory {
		return cli.Usage("Directory " + dir + " doesn't look like it has an OS tree (/usr/ directory is missing). Refusing.")
	}
	return nil
}

// fromTemplate makes the tree from its template, if there is none yet.
func (c *Call) fromTemplate(ctx context.Context) error {
	o := &c.Opt
	progress, end := c.progress()
	err := copytree.Template(ctx, o.template, o.directory, copytree.Options{ReadOnly: o.readOnly, Progress: progress})
	end()
	switch {
	case errors.Is(err, unix.EEXIST):
		if !o.quiet {
			c.say(term.Notice, "Directory "+o.directory+" already exists, not populating from template "+o.template+".")
		}
	case err != nil:
		return fmt.Errorf("Couldn't create snapshot %s from %s: %w", o.directory, o.template, errno(err))
	case !o.quiet:
		c.say(term.Info, "Populated "+o.directory+" from template "+o.template+".")
	}
	return nil
}

func (c *Call) copyOf(ctx context.Context, dir string) (*copytree.Temporary, error) {
	progress, end := c.progress()
	t, err := copytree.Ephemeral(ctx, dir, copytree.Options{ReadOnly: c.Opt.readOnly, Progress: progress})
	end()
	if err != nil {
		return nil, fmt.Errorf("Failed to create snapshot of %s: %w", dir, errno(err))
	}
	return t, nil
}

// errno is the errno of err alone, where the words round it would be said twice.
func errno(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}

// decideConsole chooses the console's mode from what the caller has.
func (c *Call) decideConsole() {
	o := &c.Opt
	terminals := isTerminal(os.Stdin) && isTerminal(os.Stdout)
	if o.console == "pipe" && terminals {
		c.say(term.Notice, "Console mode 'pipe' selected, but standard input/output are connected to an interactive TTY. Most likely you want to use "+
			"'interactive' console mode for proper interactivity and shell job control. Proceeding anyway.")
	}
	switch o.console {
	case "":
		o.console = "read-only"
		if terminals {
			o.console = "interactive"
		}
	case "autopipe":
		o.console = "pipe"
		if terminals {
			o.console = "interactive"
		}
	}
	c.interactive = o.console == "interactive"
	if o.console == "pipe" {
		o.quiet = true
	}
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// cleanUp removes what killed runs have left.
func (c *Call) cleanUp() error {
	removed, err := copytree.Clean(c.Opt.directory)
	for _, r := range removed {
		c.say(term.Info, "Removed "+r+".")
	}
	return err
}
