package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/unit"
	"ctl/sandbox/container"
)

func setBind(c *Call, v string) error         { return c.bind(v, false) }
func setBindReadOnly(c *Call, v string) error { return c.bind(v, true) }

func (c *Call) bind(v string, readOnly bool) error {
	m, err := bindMount(v, readOnly)
	if err != nil {
		return cli.Usage("Failed to parse --bind(-ro)= argument " + v + ": " + strerror(err))
	}
	return c.addMount(m)
}

func (c *Call) addMount(m container.Custom) error {
	c.Opt.mounts = append(c.Opt.mounts, m)
	c.Opt.given |= givenMounts
	return nil
}

// simplified is a path without what means nothing. What ".." means only the tree tells, where links may be on the way.
func simplified(p string) string {
	if strings.Contains(p+"/", "/../") {
		return p
	}
	return path.Clean(p)
}

// source is a path of the host or, with "+" before it, of the tree.
func source(p string) (string, bool, error) {
	p, inTree := strings.CutPrefix(p, "+")
	if p == "" {
		return "", inTree, nil
	}
	if inTree {
		if !path.IsAbs(p) {
			return "", true, unix.EINVAL
		}
		return simplified(p), true, nil
	}
	p, err := absolute(p)
	return p, false, err
}

// bindMount parses [+]SOURCE[:TARGET[:OPTIONS]].
func bindMount(v string, readOnly bool) (container.Custom, error) {
	m := container.Custom{Kind: container.Bind, ReadOnly: readOnly}
	l, err := colons(v)
	if err != nil {
		return m, unix.EINVAL
	}
	from := l[0]
	m.Target = strings.TrimPrefix(from, "+")
	if len(l) > 1 {
		m.Target = l[1]
	}
	if m.Source, m.InTree, err = source(from); err != nil {
		return m, err
	}
	if !path.IsAbs(m.Target) {
		return m, unix.EINVAL
	}
	if len(l) > 2 {
		bindOptions(&m, strings.Join(l[2:], ":"))
	}
	m.Target = simplified(m.Target)
	return m, nil
}

// bindOptions takes the options of a bind mount.
func bindOptions(m *container.Custom, options string) {
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "":
		case "rbind":
			m.Shallow = false
		case "norbind":
			m.Shallow = true
		case "idmap":
			m.Map = container.MapAll
		case "noidmap":
			m.Map = container.NoMap
		case "rootidmap":
			m.Map = container.MapRoot
		case "owneridmap":
			m.Map = container.MapOwner
		default:
			m.Options = cmp.Or(m.Options, o) // which it does not have; that is found out where it is mounted
		}
	}
}

func setTmpfs(c *Call, v string) error {
	target, options, _ := strings.Cut(v, ":")
	if strings.Contains(v, `\`) {
		l, err := colons(v)
		if err != nil {
			return cli.Usage("Failed to parse --tmpfs= argument " + v + ": " + strerror(err))
		}
		target, options = l[0], strings.Join(l[1:], ":")
	}
	if !path.IsAbs(target) {
		return cli.Usage("Failed to parse --tmpfs= argument " + v + ": " + strerror(unix.EINVAL))
	}
	if options == "" {
		options = "mode=0755"
	}
	return c.addMount(container.Custom{Kind: container.Tmpfs, Target: simplified(target), Options: options})
}

func setInaccessible(c *Call, v string) error {
	if !path.IsAbs(v) {
		return cli.Usage("Failed to parse --inaccessible= argument " + v + ": " + strerror(unix.EINVAL))
	}
	return c.addMount(container.Custom{Kind: container.Inaccessible, Target: simplified(v)})
}

func setOverlay(c *Call, v string) error         { return c.overlay(v, false) }
func setOverlayReadOnly(c *Call, v string) error { return c.overlay(v, true) }

// errTooFew are fewer directories than an overlay needs.
const errTooFew = cli.Usage("--overlay(-ro)= needs at least two colon-separated directories specified.")

func (c *Call) overlay(v string, readOnly bool) error {
	m, err := overlayMount(v, readOnly)
	if err == errTooFew {
		return err
	}
	if err != nil {
		return cli.Usage("Failed to parse --overlay(-ro)= argument " + v + ": " + strerror(err))
	}
	return c.addMount(m)
}

// overlayMount parses LOWER[:LOWER...]:UPPER[:TARGET].
func overlayMount(v string, readOnly bool) (container.Custom, error) {
	m := container.Custom{Kind: container.Overlay, ReadOnly: readOnly}
	l, err := colons(v)
	if err != nil {
		return m, err
	}
	if len(l) < 2 {
		return m, errTooFew
	}
	if len(l) == 2 {
		if m.Target, err = absolute(strings.TrimPrefix(l[1], "+")); err != nil {
			return m, err
		}
	} else {
		m.Target = l[len(l)-1]
		l = l[:len(l)-1]
	}
	if !path.IsAbs(m.Target) {
		return m, unix.EINVAL
	}
	m.Target = simplified(m.Target)
	for i, p := range l {
		from, in, err := source(p)
		if err != nil {
			return m, err
		}
		if in {
			from = "+" + from
		}
		if i == len(l)-1 && !readOnly {
			m.Source = from
		} else {
			m.Lower = append(m.Lower, from)
		}
	}
	return m, nil
}

func setCredential(c *Call, v string) error {
	id, value, ok := strings.Cut(v, ":")
	if !ok {
		return cli.Usage("Missing value for --set-credential=: " + v)
	}
	if !credentialName(id) {
		return cli.Usage("Credential name is not valid: " + id)
	}
	data, err := unit.UnescapeData(value)
	if err != nil {
		return cli.Usage("Failed to unescape credential data: " + value)
	}
	return c.addCredential(id, []byte(data))
}

func (c *Call) addCredential(id string, data []byte) error {
	for _, s := range c.Opt.credentials {
		if s.Name == id {
			return cli.Usage("Duplicated credential '" + id + "', refusing.")
		}
	}
	c.Opt.credentials = append(c.Opt.credentials, container.Secret{Name: id, Data: data})
	return nil
}

// credentialName tells whether a credential may be called so: it is a file's name.
func credentialName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) < 256 && !strings.ContainsAny(s, "/:")
}

// credentialLimit is the largest credential, in bytes.
const credentialLimit = 64<<20 - 1

// loadCredential reads a credential from a file, an AF_UNIX stream socket or, by a relative name, those that we were given ourselves.
func loadCredential(c *Call, v string) error {
	id, from, ok := strings.Cut(v, ":")
	if !ok {
		return cli.Usage("Missing value for --load-credential=: " + v)
	}
	if !strings.Contains(from, "/") {
		own := os.Getenv("CREDENTIALS_DIRECTORY")
		switch {
		case !credentialName(from):
			return cli.Usage("Credential source appears to be neither a valid path nor a credential name: " + from)
		case own == "":
			return cli.Usage("Credential not available (no credentials passed at all): " + from)
		}
		from = path.Join(own, from)
	}
	if !credentialName(id) {
		return cli.Usage("Credential name is not valid: " + id)
	}
	data, err := readCredential(from)
	if err != nil {
		return fmt.Errorf("Failed to read credential '%s': %w", from, errno(err))
	}
	return c.addCredential(id, data)
}

func readCredential(from string) ([]byte, error) {
	var r io.ReadCloser
	r, err := os.Open(from)
	if errors.Is(err, unix.ENXIO) { // that is how open(2) finds a socket
		r, err = net.Dial("unix", from)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, credentialLimit+1))
	if err == nil && len(data) > credentialLimit {
		err = unix.E2BIG
	}
	return data, err
}

// temporaries makes the directories that mounts need and nobody has named: sources that are to be empty, and where overlays work.
func (c *Call) temporaries(l []container.Custom) error {
	for i := range l {
		m := &l[i]
		if m.Kind == container.Overlay {
			if err := c.makeUpper(m); err != nil {
				return err
			}
		}
		switch {
		case m.Source != "" && (m.Kind != container.Overlay || m.ReadOnly || m.Work != ""):
			continue
		case m.Kind == container.Bind:
			dir, err := c.tempDir("/var/tmp", "nspawn-temp-")
			if err != nil {
				return err
			}
			m.Source = dir + "/src"
			if err := os.Mkdir(m.Source, 0o755); err != nil {
				return err
			}
		case m.Kind == container.Overlay && !m.ReadOnly:
			if err := c.overlayDirs(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeUpper makes the uppermost directory of an overlay, if it is not there; one of the tree is made when the tree is mounted.
func (c *Call) makeUpper(m *container.Custom) error {
	upper := m.Upper()
	if upper == "" || upper[0] == '+' {
		return nil
	}
	if _, err := os.Stat(upper); !errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, p := range m.Lower {
		if _, err := os.Stat(p); err != nil && p != upper && p[0] != '+' {
			return nil // it will not come to that
		}
	}
	if err := os.MkdirAll(upper, 0o755); err != nil {
		return fmt.Errorf("Failed to create %s: %w", upper, errno(err))
	}
	c.uppers = append(c.uppers, upper)
	return nil
}

func (c *Call) tempDir(dir, pattern string) (string, error) {
	d, err := os.MkdirTemp(dir, pattern)
	if err != nil {
		return "", fmt.Errorf("Failed to acquire temporary directory: %w", errno(err))
	}
	c.temporary = append(c.temporary, d)
	return d, nil
}

// overlayDirs makes the directories of an overlay for changes: both, or the one it works in, which has to be on the same file system.
func (c *Call) overlayDirs(m *container.Custom) error {
	if m.Source == "" {
		dir, err := c.tempDir("/var/tmp", "nspawn-temp-")
		if err != nil {
			return err
		}
		m.Source, m.Work = dir+"/src", dir+"/work"
		for _, d := range []string{m.Source, m.Work} {
			if err := os.Mkdir(d, 0o755); err != nil {
				return err
			}
		}
		return nil
	}
	if strings.HasPrefix(m.Source, "+") {
		return nil // made in the tree
	}
	m.Work = path.Join(path.Dir(m.Source), ".#"+path.Base(m.Source)+randomSuffix())
	if err := os.Mkdir(m.Work, 0o700); err != nil {
		return fmt.Errorf("Failed to acquire temporary directory: %w", errno(err))
	}
	c.temporary = append(c.temporary, m.Work)
	return nil
}
