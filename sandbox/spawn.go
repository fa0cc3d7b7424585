package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/container"
	"ctl/sandbox/copytree"
	"ctl/sandbox/image"
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
	if o.cleanup && o.dryRun {
		return cli.Usage("--dry-run and --cleanup may not be combined.")
	}
	if o.forwardLimits != [4]*uint64{} && o.forwardJournal == "" {
		return cli.Usage("--forward-journal-max-use=/--forward-journal-keep-free=/--forward-journal-max-file-size=/--forward-journal-max-files= require --forward-journal=.")
	}
	if err := c.readEnvironment(); err != nil {
		return err
	}
	if err := becomeRoot(); err != nil {
		return err
	}
	if os.Geteuid() != 0 && !c.systemdNspawn() && o.users != usersManaged {
		return c.asRoot()
	}
	if os.Geteuid() != 0 || o.userScope {
		return c.needsManager()
	}
	if !o.cleanup {
		if err := c.loadBundle(); err != nil {
			return err
		}
	}
	if err := c.findTree(); err != nil {
		return err
	}
	if _, err := os.Stat(o.template); err == nil && !isDir(o.template) {
		return cli.Usage("No matching entries in versioned directory '" + o.template + "' found.")
	}
	if err := c.loadFile(); err != nil {
		return err
	}
	if o.cleanup {
		return c.cleanUp()
	}
	if o.given&givenEphemeral != 0 && !o.machineGiven { // whatever the file says
		o.machine = cleanName(o.machine + "-" + randomSuffix())
	}
	c.noteFamilies()
	c.decideConsole()
	if err := c.verify(); err != nil {
		return err
	}
	if err := c.takeSockets(); err != nil {
		return err
	}
	if !o.dryRun {
		_ = os.MkdirAll("/run/systemd/nspawn", 0o755) // who looks for containers looks there
	}
	if err := c.interfacesReady(); err != nil {
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

// A prepared tree is one that is locked and ready to be started from.
type prepared struct {
	dir   string
	image *image.Mounted // what dir is an image of
	locks []*lock.Lock
	copy  *copytree.Temporary
	layer bool   // the copy has only what is changed of dir
	base  uint32 // of its user IDs, once they are picked

	// Where nothing is to be done (--dry-run):
	copyTo string   // what would be a copy of dir, and started from
	files  []string // the locks there would be
	parts  []string // the partitions
}

// tree is the path of the tree, for us.
func (p *prepared) tree() string {
	if p.image != nil {
		return p.image.Path()
	}
	return p.dir
}

func (p *prepared) release() {
	if p.image != nil {
		p.image.Close()
	}
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
func (c *Call) prepare() (_ *prepared, err error) {
	o := &c.Opt
	p := &prepared{}
	fail := func(err error) (*prepared, error) {
		p.release()
		return nil, err
	}
	ctx := context.Background()
	if o.template != "" || o.ephemeral {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
		defer stop()
	}
	if o.template != "" {
		if o.template, err = realPath(o.template); err != nil {
			return fail(err)
		}
	}
	if o.image != "" {
		return c.prepareImage(ctx)
	}
	if o.dryRun {
		return c.rehearse()
	}
	if o.template != "" {
		if err := c.fromTemplate(ctx); err != nil {
			return fail(err)
		}
	}
	dir, mode, err := c.resolve(o.directory)
	if err != nil {
		return fail(err)
	}
	p.dir = dir
	if o.ephemeral { // the copy is locked; nobody minds who reads the tree
		if p.layer = c.layerOver(dir, p); !p.layer {
			if p.copy, err = c.copyOf(ctx, dir); err != nil {
				return fail(err)
			}
			p.dir = p.copy.Path
		}
		if err := c.looksLikeSystem(p.dir); err != nil {
			return fail(err)
		}
		return p, nil
	}
	l, err := lock.Image(dir, mode, os.Getenv)
	if err != nil {
		return fail(unlocked(dir, err))
	}
	p.locks = append(p.locks, l)
	if err := c.looksLikeSystem(p.dir); err != nil {
		return fail(err)
	}
	return p, nil
}

// resolve finds the directory that a path leads to, and how it is to be locked.
func (c *Call) resolve(p string) (dir string, mode lock.Mode, err error) {
	o := &c.Opt
	if dir, err = realPath(p); err != nil {
		return "", 0, err
	}
	if dir == "/" && !o.ephemeral && o.volatile != container.VolatileYes && o.volatile != container.VolatileState {
		return "", 0, cli.Usage("Spawning container on root directory is not supported. Consider using --ephemeral, --volatile=yes or --volatile=state.")
	}
	if o.readOnly || o.volatile != container.VolatileNo || dir == "/" {
		return dir, lock.Shared, nil
	}
	return dir, lock.Exclusive, nil
}

// unlocked says why a tree could not be locked.
func unlocked(dir string, err error) error {
	if errors.Is(err, lock.ErrBusy) {
		return cli.Usage("Directory tree " + dir + " is currently busy.")
	}
	return fmt.Errorf("Failed to lock %s: %w", dir, errno(err))
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
	if on, ok := unit.Boolean(os.Getenv("SYSTEMD_NSPAWN_CHECK_OS_RELEASE")); ok && !on {
		return nil
	}
	root := c.Opt.pivotRoot[0]
	if c.Opt.start == startBoot {
		if image.HoldsSystem(t, root) {
			return nil
		}
		return cli.Usage("Directory " + dir + root + " doesn't look like an OS root directory (os-release file is missing). Refusing.")
	}
	if st, err := t.Stat(root + "/usr"); err != nil || st.Kind != tree.Directory {
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
		c.templateUnused()
	case err != nil && !isDir(path.Dir(path.Clean(o.directory))):
		return fmt.Errorf("Failed to lock %s: %w", o.directory, unix.ENOENT)
	case err != nil:
		return fmt.Errorf("Couldn't create snapshot %s from %s: %w", o.directory, o.template, errno(err))
	case !o.quiet:
		c.say(term.Info, "Populated "+o.directory+" from template "+o.template+".")
	}
	return nil
}

// templateUnused says that the tree is there already.
func (c *Call) templateUnused() {
	if o := &c.Opt; !o.quiet {
		c.say(term.Notice, "Directory "+o.directory+" already exists, not populating from template "+o.template+".")
	}
}

// layerOver makes a copy that has only what is changed of the tree at dir, if that saves copying all of it. The tree is locked then, for it must
// not change meanwhile. In containers of systemd-nspawn, whoever has an overlayfs of his own in the copy may need it to be none.
func (c *Call) layerOver(dir string, p *prepared) bool {
	o := &c.Opt
	mapped := o.users != usersNo && o.users != usersUnset || o.hardened
	if c.systemdNspawn() || container.MappedIDs() > 0 || o.volatile != container.VolatileNo || o.ownership == ownedByChown || mapped && !mappable(dir) || copytree.Shares(dir) {
		return false
	}
	l, err := lock.Image(dir, lock.Shared, os.Getenv)
	if err != nil {
		return false
	}
	_, _ = copytree.Clean(dir)
	t, err := copytree.Layer(dir)
	if err == nil && !container.CanLayer(dir, t.Path) {
		_ = t.Remove()
		err = unix.EOPNOTSUPP
	}
	if err != nil {
		l.Release()
		return false
	}
	p.locks, p.copy = append(p.locks, l), t
	return true
}

func (c *Call) copyOf(ctx context.Context, dir string) (*copytree.Temporary, error) {
	progress, end := c.progress()
	_, _ = copytree.Clean(dir) // what was left by those who were killed
	t, err := copytree.Ephemeral(ctx, dir, copytree.Options{ReadOnly: c.Opt.readOnly, Progress: progress})
	end()
	if err != nil {
		return nil, fmt.Errorf("Failed to create ephemeral snapshot: %w", errno(err))
	}
	return t, nil
}

// errno is the errno of err alone, where the words round it would be said twice, with the text that C has for it.
func errno(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return spokenErrno{e}
	}
	return err
}

type spokenErrno struct{ syscall.Errno }

func (e spokenErrno) Error() string { return sys.Strerror(e.Errno) }
func (e spokenErrno) Unwrap() error { return e.Errno }

// decideConsole chooses the console's mode from what the caller has.
func (c *Call) decideConsole() {
	o := &c.Opt
	terminals := isTerminal(os.Stdin) && isTerminal(os.Stdout)
	if o.console == "pipe" && terminals && !o.quiet {
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

// cleanUp removes what killed runs have left: systemd-nspawn's directories and mounts in /run, and copies.
func (c *Call) cleanUp() error {
	o := &c.Opt
	export := path.Join("/run/systemd/nspawn", o.machine, "unix-export")
	for unix.Unmount(export, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil {
	}
	_ = unix.Rmdir(export)
	_ = unix.Rmdir(path.Join("/run/systemd/nspawn/propagate", o.machine))
	if c.systemdNspawn() {
		return nil
	}
	removed, err := copytree.Clean(o.directory)
	for _, r := range removed {
		c.say(term.Info, "Removed "+r+".")
	}
	return err
}
