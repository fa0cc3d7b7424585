package control

import (
	"strconv"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
)

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func decimal64(n uint64) string { return strconv.FormatUint(n, 10) }

// jobResults are what users are told of a job's end: what stands before the unit's name, and behind it.
var jobResults = [...]struct{ result, before, behind string }{
	{"canceled", "Job for ", " canceled."},
	{"timeout", "Job for ", " timed out."},
	{"dependency", "A dependency job for ", " failed. See 'journalctl -xe' for details."},
	{"invalid", "", " is not active, cannot reload."},
	{"assert", "Assertion failed on job for ", "."},
	{"unsupported", "Operation on or unit type of ", " not supported on this system."},
	{"collected", "Queued job for ", " was garbage collected."},
	{"once", "Unit ", " was started already once and can't be started again."},
	{"frozen", "Cannot perform operation on frozen unit ", "."},
	{"concurrency", "Concurrency limit of a slice unit ", " is contained in has been reached."},
}

// sayResult says how a job ended, of good ends only when asked for.
func (w *waiting) sayResult(r manager.JobResult) {
	switch r.Result {
	case "done":
		if w.Opt.ShowTransaction {
			w.Log(term.Info, "Job for "+r.Unit+" finished.")
		}
		return
	case "skipped":
		if w.Opt.ShowTransaction {
			w.Log(term.Info, "Job for "+r.Unit+" was skipped.")
		}
		return
	}
	for _, row := range jobResults {
		if row.result == r.Result {
			w.Log(term.Err, row.before+r.Unit+row.behind)
			return
		}
	}
	if !strings.HasSuffix(r.Unit, ".service") {
		w.Log(term.Err, "Job failed. See \"journalctl -xe\" for details.")
		return
	}
	result, _ := w.m.Property(manager.UnitPath(r.Unit), manager.TypeInterface(r.Unit), "Result")
	w.sayService(r.Unit, result.Text())
}

// serviceResults are the reasons for a service's failure, as users are told them.
var serviceResults = [...][2]string{
	{"resources", "of unavailable resources or another system error"},
	{"protocol", "the service did not take the steps required by its unit configuration"},
	{"timeout", "a timeout was exceeded"},
	{"exit-code", "the control process exited with error code"},
	{"signal", "a fatal signal was delivered to the control process"},
	{"core-dump", "a fatal signal was delivered causing the control process to dump core"},
	{"watchdog", "the service failed to send watchdog ping"},
	{"start-limit-hit", "start of the service was attempted too often"},
	{"oom-kill", "of an out-of-memory (OOM) situation"},
}

// sayService says why a service's job failed, and where to look for more.
func (w *waiting) sayService(name, result string) {
	text := "Job for " + name + " failed."
	for _, r := range serviceResults {
		if r[0] == result {
			text = "Job for " + name + " failed because " + r[1] + "."
		}
	}
	quoted := shellQuoted(name)
	status, log := w.hint("systemctl"), w.hint("journalctl")
	text += "\nSee \"" + status + " status" + w.dashes(name) + " " + quoted + "\" and \"" + log + " -xeu " + quoted + "\" for details."
	w.Log(term.Err, text)
	if result == "start-limit-hit" {
		w.Log(term.Info, "To force a start use \""+status+" reset-failed"+w.dashes(name)+" "+quoted+"\"\n"+
			"followed by \""+status+" start"+w.dashes(name)+" "+quoted+"\" again.")
	}
}

// shellQuoted is a unit's name for a shell: of what names may have, only a backslash needs quotes.
func shellQuoted(name string) string {
	if !strings.Contains(name, `\`) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `\`, `\\`) + `"`
}
