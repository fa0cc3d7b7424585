package control

import (
	"errors"
	"slices"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
)

// A request is what start and its kin ask of the manager.
type request struct {
	jobType, mode, suffix string
}

// requestOf is what a verb asks for; old spellings included.
func (c *Call) requestOf(verb string) request {
	r := request{jobType: verb, mode: "replace"}
	switch verb {
	case "isolate":
		return request{"start", "isolate", ".target"}
	case "condstop":
		r.jobType = "stop"
	case "condrestart":
		r.jobType = "try-restart"
	case "try-reload-or-restart", "force-reload", "condreload":
		r.jobType = "reload-or-try-restart"
	}
	if c.Opt.JobMode != nil {
		r.mode = *c.Opt.JobMode
	}
	return r
}

// startUnits queues jobs for units and waits for them.
func startUnits(c *Call) error {
	if c.Opt.Marked {
		c.Log(term.Notice, "--marked is deprecated. Please use 'systemctl enqueue-marked' instead.")
	}
	return c.startNamed(c.Verb, c.Args)
}

// startNamed does what a verb such as start does, with the units named.
func (c *Call) startNamed(verb string, operands []string) error {
	m, err := c.connect(c.Opt.Wait)
	if err != nil {
		return err
	}
	w := &waiting{Call: c, m: m, json: verb == c.Verb && c.moreJSON()}
	if verb == "enqueue-marked" || c.Opt.Marked {
		return w.marked()
	}
	r := c.requestOf(verb)
	names, globbed, err := c.expandNames(m, operands, r.suffix)
	if err != nil {
		return err
	}
	if globbed && (verb == "start" || verb == "isolate") && !c.Opt.All && !c.Opt.Quiet {
		c.Log(term.Warning, "Warning: "+c.colors().Paint(term.Red, "systemctl start called with a glob pattern."))
		c.Log(term.Notice, "Hint: unit globs expand to loaded units, so start will usually have no effect.\n"+
			"      Passing --all will also load units which are pulled in by other units.\n"+
			"      See systemctl(1) for more details.")
	}
	return w.do(r, names)
}

// A waiting is jobs being queued and waited for.
type waiting struct {
	*Call
	m      *manager.Conn
	jobs   []queuedJob
	names  []string // of the units that have them
	status Exit     // of the first thing that went wrong
	json   bool     // what came of the jobs is to be written
}

// A queuedJob is one that was asked for, and what came of it.
type queuedJob struct {
	unit   string
	path   manager.ObjectPath // "" if it was refused
	result string             // "" until it has ended
	err    error              // why it was refused
}

// fails remembers the status of the first failure.
func (w *waiting) fails(status Exit) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *waiting) marked() error {
	w.askForAuthorization()
	w.askForPasswords()
	if !w.Opt.NoBlock {
		w.m.WatchJobs()
	}
	jobs, err := w.m.EnqueueMarked()
	if err != nil {
		return Failure{"start jobs", err}
	}
	for _, path := range jobs {
		w.jobs = append(w.jobs, queuedJob{path: path})
	}
	return w.finish(false)
}

func (w *waiting) do(r request, names []string) error {
	w.askForAuthorization()
	if !w.Opt.DryRun {
		w.askForPasswords()
	}
	if !w.Opt.NoBlock {
		w.m.WatchJobs()
	}
	if w.Opt.Verbose {
		stop := w.followJournal(names)
		defer stop()
	}
	if !w.enqueueAll(r, names) {
		for _, n := range names {
			w.enqueue(r, n)
		}
	}
	return w.finish(r.jobType == "stop")
}

// finish waits, and writes what came of the jobs if that is wanted as JSON.
func (w *waiting) finish(stopped bool) error {
	err := w.wait(stopped)
	if w.json {
		w.Print(w.Opt.JSON.Format(w.jobObjects()))
	}
	return err
}

// enqueueAll queues jobs for several units in one call. It is false if the jobs are to be
// queued one by one, since the manager does not know the call or one unit is masked and need not be started.
func (w *waiting) enqueueAll(r request, names []string) bool {
	if len(names) < 2 || w.Opt.ShowTransaction || w.Opt.DryRun || r.mode == "isolate" {
		return false
	}
	jobs, err := w.m.EnqueueMany(names, r.jobType, r.mode)
	switch {
	case manager.IsName(err, "UnknownMethod", "InvalidArgs"), r.passesOver(err):
		return false
	case err != nil:
		w.Log(term.Err, Failure{"enqueue jobs", err}.Error())
		if _, unread := errors.AsType[manager.ReplyError](err); unread {
			w.Log(term.Err, Failure{"enqueue jobs", errno(err)}.Error())
		}
		w.fails(startStatus(err))
		for _, n := range names {
			w.jobs = append(w.jobs, queuedJob{unit: n, err: err})
		}
		return true
	}
	// The manager answers in an order of its own.
	slices.SortStableFunc(jobs, func(a, b manager.Job) int { return slices.Index(names, a.Unit) - slices.Index(names, b.Unit) })
	for _, j := range jobs {
		w.jobs = append(w.jobs, queuedJob{unit: j.Unit, path: j.Path})
	}
	var once []string
	for _, n := range names {
		if !slices.Contains(once, n) {
			once = append(once, n)
		}
	}
	w.queued(once...)
	return true
}

// enqueue queues a job for one unit. One that is masked need not be started if it runs.
func (w *waiting) enqueue(r request, name string) {
	if w.Opt.DryRun {
		w.names = append(w.names, name)
		return
	}
	path, err := w.enqueueOne(r, name)
	switch {
	case err == nil:
		w.jobs = append(w.jobs, queuedJob{unit: name, path: path})
		w.queued(name)
	case !r.passesOver(err):
		w.jobs = append(w.jobs, queuedJob{unit: name, err: err})
		w.refused(r, name, err)
	}
}

// passesOver tells whether an error is none for this kind of job.
func (r request) passesOver(err error) bool {
	return strings.Contains(r.jobType, "try") && manager.IsName(err, "UnitMasked")
}

func (w *waiting) enqueueOne(r request, name string) (manager.ObjectPath, error) {
	if w.Opt.ShowTransaction {
		anchor, others, err := w.m.EnqueueTransaction(name, r.jobType, r.mode)
		if err == nil {
			w.transaction(anchor, others)
			return anchor.Path, nil
		}
		if !manager.IsName(err, "UnknownMethod") {
			return "", err
		}
		w.Log(term.Notice, "--show-transaction not supported by this service manager, proceeding without.")
	}
	return w.m.Enqueue(name, r.jobType, r.mode)
}

// transaction shows the jobs that were queued together.
func (w *waiting) transaction(anchor manager.Job, others []manager.Job) {
	w.Log(term.Info, "Enqueued anchor job "+decimal(anchor.ID)+" "+anchor.Unit+"/"+anchor.Type+".")
	for _, j := range others {
		w.Log(term.Info, "Enqueued auxiliary job "+decimal(j.ID)+" "+j.Unit+"/"+j.Type+".")
	}
}

// refused says why a job could not be queued, and where to look.
func (w *waiting) refused(r request, name string, err error) {
	w.fails(startStatus(err))
	w.Log(term.Err, Failure{r.jobType + " " + name, err}.Error())
	_, unread := errors.AsType[manager.ReplyError](err)
	if !unread && !manager.IsName(err, "NoSuchUnit", "UnitMasked", "JobTypeNotApplicable") {
		w.Log(term.Err, "See "+w.scopeName()+" logs and '"+w.hint("systemctl")+" status"+w.dashes(name)+" "+name+"' for details.")
	}
}

// dashes keeps a name from being taken for an option.
func (w *waiting) dashes(name string) string {
	if strings.HasPrefix(name, "-") {
		return " --"
	}
	return ""
}

// hint is a command as the user has to type it to get at the same manager.
func (c *Call) hint(command string) string {
	switch {
	case c.Opt.Transport == "host":
		command += " -H " + c.Opt.Remote
	case c.Opt.Transport == "machine":
		command += " -M " + c.Opt.Remote
	case c.Opt.Transport == "capsule":
		return command + " -C " + c.Opt.Remote
	}
	if c.scopeName() == "user" {
		command += " --user"
	}
	return command
}

// startStatus is the exit status for an error of the manager, systemctl.md section 5.
func startStatus(err error) Exit {
	switch {
	case manager.IsName(err, "AccessDenied", "OnlyByDependency", "NoIsolation", "TransactionIsDestructive"):
		return 4
	case manager.IsName(err, "NoSuchUnit"):
		return 5
	case manager.IsName(err, "JobTypeNotApplicable", "NotSupported"):
		return 3
	case manager.IsName(err, "LoadFailed"):
		return 6
	}
	return 1
}

// queued does what is to be done for units once their jobs are in the queue.
func (w *waiting) queued(names ...string) {
	var outdated []string
	if !w.Opt.NoWarn {
		outdated = w.m.Outdated(names...)
	}
	for _, n := range names {
		if slices.Contains(outdated, n) {
			w.warnChanged(n)
		}
		if w.Opt.Wait {
			if err := w.m.Watch(n); err != nil {
				w.Log(term.Err, Failure{"watch unit " + n, err}.Error())
				w.fails(1)
			}
		}
	}
	w.names = append(w.names, names...)
}

// warnChanged says that the manager knows an old state of a unit's files.
func (w *waiting) warnChanged(name string) { w.Log(term.Warning, w.changedOnDisk(name)) }

// changedOnDisk is the warning about a unit of whose files the manager knows an old state.
func (c *Call) changedOnDisk(name string) string {
	return "Warning: The unit file, source configuration file or drop-ins of " + name +
		" changed on disk. " + c.reloadHint()
}

// reloadHint says how the manager is made to read the units' files again.
func (c *Call) reloadHint() string {
	scope := ""
	if c.scopeName() == "user" {
		scope = " --user"
	}
	return "Run 'systemctl" + scope + " daemon-reload' to reload units."
}

// wait waits for the jobs, and with --wait for the units. Units that were stopped may be started
// again by others at any time, of which the user is told.
func (w *waiting) wait(stopped bool) error {
	if !w.Opt.NoBlock {
		if err := w.waitForJobs(); err != nil {
			return err
		}
		if stopped && !w.Opt.Quiet && !w.Opt.NoWarn {
			for _, n := range w.names {
				w.warnTriggering(w.m, "Stopping", n, false)
			}
		}
	}
	if w.Opt.Wait {
		good, err := w.m.WaitForUnits()
		if err != nil {
			return Failure{"wait for units", err}
		}
		if !good {
			w.fails(1)
		}
	}
	if w.status != 0 {
		return w.status
	}
	return nil
}

// waitForJobs says how each job ended that did not end well.
func (w *waiting) waitForJobs() error {
	var paths []manager.ObjectPath
	for _, j := range w.jobs {
		if j.path != "" {
			paths = append(paths, j.path)
		}
	}
	err := w.m.WaitForJobs(paths, func(r manager.JobResult) {
		w.ended(r)
		if r.Result != "done" && r.Result != "skipped" {
			w.fails(1)
		}
		if !w.Opt.Quiet || w.Opt.ShowTransaction {
			w.sayResult(r)
		}
	})
	if err != nil {
		w.Log(term.Warning, "D-Bus connection terminated while waiting for jobs.")
		if w.m.IsBus() {
			return Exit(1)
		}
		return Failure{"wait for response", err}
	}
	return nil
}

// ended notes what came of a job.
func (w *waiting) ended(r manager.JobResult) {
	for i := range w.jobs {
		if j := &w.jobs[i]; j.path == r.Path {
			j.unit, j.result = r.Unit, r.Result
		}
	}
}

// warnTriggering tells which units may start a unit again that is being stopped, disabled or masked.
func (c *Call) warnTriggering(m *manager.Conn, doing, name string, evenMasked bool) {
	triggering, err := m.ActiveTriggers(name, evenMasked)
	if err != nil || len(triggering) == 0 {
		return
	}
	c.Log(term.Warning, doing+" '"+name+"', but its triggering units are still active:\n"+strings.Join(triggering, ", "))
}
