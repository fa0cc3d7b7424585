package control

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// The lines between which the text of a drop-in stands in the editor.
const (
	startMark = "### Anything between here and the comment below will become the contents of the drop-in file"
	endMark   = "### Edits below this comment will be discarded"
)

// An editing is one file being edited.
type editing struct {
	target string   // in the tree
	was    []byte   // its contents, not nil
	before string   // the text to begin with
	others []string // further files of the unit, shown as comments
	temp   string   // on the host, while the editor runs
}

// edit changes units by drop-ins, or by full copies, from an editor or standard input.
func edit(c *Call) error {
	switch {
	case !c.Opt.Stdin && !(term.IsTerminal(c.Stdout) && term.IsTerminal(c.Stderr)):
		return cli.Usage("Cannot edit units interactively if not on a tty.")
	case c.Opt.Transport != "":
		return cli.Usage("Cannot edit units remotely.")
	}
	dropIn, err := c.dropInName()
	if err != nil {
		return err
	}
	names, err := c.editNames()
	if err != nil {
		return err
	}
	if c.Opt.Stdin && c.Opt.Full && len(names) != 1 {
		return cli.Usage("With 'edit --stdin --full', exactly one unit for editing must be specified.")
	}
	t, ix, err := c.open()
	if err != nil {
		return Failure{"edit units", err}
	}
	defer t.Close()
	var files []*editing
	err = c.sources(ix, names, func(name string, s source) error {
		e, err := c.editingOf(ix, name, s.Source, dropIn)
		if err == nil && !slices.ContainsFunc(files, func(f *editing) bool { return f.target == e.target }) {
			files = append(files, e)
		}
		return err
	})
	if err != nil {
		return err
	}
	install := c.installEdited
	if c.Opt.Stdin {
		install = c.installStdin
	}
	if err := install(ix, files); err != nil || c.Mode() != ByManager || c.Opt.NoReload || c.Opt.DryRun {
		return err
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	return reload(m)
}

// editNames are the names of the units to edit. Only a manager knows patterns.
func (c *Call) editNames() ([]string, error) {
	if c.Mode() != ByManager {
		return c.mangle("to edit", c.Args, ".service")
	}
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	names, _, err := c.expandNames(m, c.Args, "")
	if err == nil && len(names) == 0 {
		err = cli.Usage("No units matched the specified patterns.")
	}
	return names, err
}

// dropInName is --drop-in= with its suffix.
func (c *Call) dropInName() (string, error) {
	name := c.Opt.DropIn
	if name == "" {
		name = "override.conf"
	}
	if !strings.HasSuffix(name, ".conf") {
		name += ".conf"
	}
	if strings.ContainsAny(name, "/\x00") || len(name) > 255 {
		return "", cli.Usage("Invalid drop-in file name '" + name + "'.")
	}
	return name, nil
}

// editingOf finds out which file is to be written for a unit and what is in it now.
func (c *Call) editingOf(ix *enable.Index, name string, s *enable.Source, dropIn string) (*editing, error) {
	switch {
	case s.Masked && len(s.DropIns) == 0:
		return nil, cli.Usage("Unit '" + name + "' masked, cannot edit.")
	case (s.Fragment == "" || s.Masked) && c.Opt.Force == 0:
		if s.Fragment == "" && len(s.DropIns) == 0 {
			c.Log(term.Err, "No files found for "+name+".")
		}
		scope := ""
		switch c.Opt.Scope {
		case enable.User:
			scope = " --user"
		case enable.Global:
			scope = " --global"
		}
		c.Log(term.Info, "Run 'systemctl edit"+scope+" --force --full "+name+"' to create a new unit.")
		return nil, Exit(1)
	}
	if unit.KindOf(name) == unit.Instance && unit.KindOf(s.Name) == unit.Template {
		s.Name = name
	}
	below := "/" + s.Name
	if !c.Opt.Full {
		below += ".d/" + dropIn
	}
	target, err := c.configFile(ix, below)
	if err != nil {
		return nil, err
	}
	e := &editing{target: target, was: []byte{}}
	if data, err := ix.ReadFile(target); err == nil {
		e.was = append(e.was, data...)
	}
	e.before = string(e.was)
	if c.Opt.Full && s.Fragment != "" {
		data, _ := ix.ReadFile(s.Fragment)
		e.before = string(data)
	}
	if !c.Opt.Full {
		if s.Fragment != "" && !s.Masked {
			e.others = append(e.others, s.Fragment)
		}
		for _, d := range s.DropIns {
			if d.Path != e.target && !d.Mask {
				e.others = append(e.others, d.Path)
			}
		}
	}
	return e, nil
}

// configFile is a path in the directory that edits go to, unless a file in the other one would override it.
func (c *Call) configFile(ix *enable.Index, below string) (string, error) {
	dir, err := ix.Config(c.flags())
	if err != nil {
		return "", Failure{"edit units", err}
	}
	if c.Opt.Runtime {
		if p, err := ix.Config(enable.Flags{}); err == nil && ix.Exists(p+below) {
			return "", cli.Usage("Refusing to create \"" + c.shown(dir+below) + "\" because it would be overridden by \"" +
				c.shown(p+below) + "\" anyway.")
		}
	}
	return dir + below, nil
}

// installStdin writes what comes on standard input to all files.
func (c *Call) installStdin(ix *enable.Index, files []*editing) error {
	data, err := io.ReadAll(c.Stdin)
	if err != nil {
		return Failure{"read stdin", err}
	}
	text := strings.Trim(string(data), " \t\n\r")
	if text == "" {
		c.Log(term.Notice, "Stripped stdin content is empty, not writing file.")
		return nil
	}
	for _, e := range files {
		if err := c.install(ix, e, nil, text+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// install writes one file; was is what must still be there, nil if that does not matter.
func (c *Call) install(ix *enable.Index, e *editing, was []byte, text string) error {
	if c.Opt.DryRun {
		c.Print("write '" + c.shown(e.target) + "'\n")
		return nil
	}
	if err := ix.Install(e.target, was, []byte(text)); err != nil {
		return Failure{"install edited file '" + c.shown(e.target) + "'", err}
	}
	c.Log(term.Info, "Successfully installed edited file '"+c.shown(e.target)+"'.")
	return nil
}

// installEdited has the user edit the files and writes what comes back. The editor
// works on copies in the host's temporary directory: a tree may be hostile, and an editor follows its links.
func (c *Call) installEdited(ix *enable.Index, files []*editing) error {
	dir, err := os.MkdirTemp("", "ctl-edit-")
	if err != nil {
		return Failure{"create temporary directory", err}
	}
	kept := false
	defer func() {
		if !kept {
			os.RemoveAll(dir)
		}
	}()
	for i, e := range files {
		e.temp = filepath.Join(dir, strconv.Itoa(i), filepath.Base(e.target))
		if err := os.Mkdir(filepath.Dir(e.temp), 0o700); err != nil {
			return Failure{"create temporary file", err}
		}
		text := e.before
		if !c.Opt.Full {
			text = c.template(ix, e)
		}
		if err := os.WriteFile(e.temp, []byte(text), 0o644); err != nil {
			return Failure{"create temporary file '" + e.temp + "'", err}
		}
	}
	if err := c.runEditor(files); err != nil {
		return err
	}
	for _, e := range files {
		data, err := os.ReadFile(e.temp)
		if err != nil {
			return Failure{"read temporary file '" + e.temp + "'", err}
		}
		text := string(data)
		if !c.Opt.Full {
			text = betweenMarks(text)
		}
		text = strings.Trim(text, " \t\n\r")
		if text == "" {
			c.Log(term.Notice, c.shown(e.target)+": after editing, new contents are empty, not writing file.")
			continue
		}
		err = c.install(ix, e, e.was, text+"\n")
		if errors.Is(err, enable.ErrChanged) {
			kept = true
			c.Log(term.Err, "What was written in the editor is kept in '"+e.temp+"'.")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// template is what the editor shows for a drop-in: its text between two marks, then
// the unit's other files as comments.
func (c *Call) template(ix *enable.Index, e *editing) string {
	var b strings.Builder
	b.WriteString("### Editing " + c.shown(e.target) + "\n" + startMark + "\n\n" + e.before)
	if e.before != "" && !strings.HasSuffix(e.before, "\n") {
		b.WriteByte('\n')
	}
	b.WriteString("\n" + endMark + "\n")
	if e.before == "" {
		s := b.String()
		b.Reset()
		b.WriteString(strings.Replace(s, "\n\n"+endMark, "\n\n\n"+endMark, 1))
	}
	for _, o := range e.others {
		data, err := ix.ReadFile(o)
		if err != nil {
			continue
		}
		b.WriteString("\n\n### " + c.shown(o))
		for l := range strings.SplitSeq(strings.TrimRight(string(data), "\n"), "\n") {
			b.WriteString("\n# " + l)
		}
	}
	return b.String()
}

// betweenMarks cuts out what stands between the marks; without them all of it counts.
func betweenMarks(s string) string {
	if _, after, ok := strings.Cut(s, startMark); ok {
		s = after
	}
	s, _, _ = strings.Cut(s, endMark)
	return s
}

// runEditor starts the user's editor on the files.
func (c *Call) runEditor(files []*editing) error {
	var args []string
	if len(files) == 1 && !c.Opt.Full {
		args = append(args, "+4")
	}
	for _, e := range files {
		args = append(args, e.temp)
	}
	start := func(argv ...string) error {
		cmd := exec.Command(argv[0], append(argv[1:], args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
		return cmd.Run()
	}
	for _, v := range [...]string{"SYSTEMD_EDITOR", "EDITOR", "VISUAL"} {
		words := strings.Fields(c.Getenv(v))
		if len(words) == 0 {
			continue
		}
		err := start(words...)
		if err == nil || isExit(err) {
			return editorStatus(err)
		}
		c.Log(term.Warning, "Specified editor '"+words[0]+"' not available, trying fallbacks: "+strerror(err))
		break
	}
	for _, e := range [...]string{"editor", "nano", "vim", "vi"} {
		if err := start(e); err == nil || isExit(err) {
			return editorStatus(err)
		}
	}
	return cli.Usage("Cannot edit files, no editor available. Please set either $SYSTEMD_EDITOR, $EDITOR or $VISUAL.\n" +
		"'(editor)' failed with exit status 1.")
}

func isExit(err error) bool {
	_, ok := errors.AsType[*exec.ExitError](err)
	return ok
}

func editorStatus(err error) error {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return cli.Usage("'(editor)' failed with exit status " + strconv.Itoa(e.ExitCode()) + ".")
	}
	return nil
}
