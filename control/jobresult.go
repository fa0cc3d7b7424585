package control

import (
	"strconv"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
)

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// sayResult says how a job ended.
func (w *waiting) sayResult(r manager.JobResult) {
	say := func(level term.Level, text string) { w.Log(level, text) }
	switch r.Result {
	case "done":
		if w.Opt.ShowTransaction {
			say(term.Info, "Job for "+r.Unit+" finished.")
		}
	case "skipped":
		if w.Opt.ShowTransaction {
			say(term.Info, "Job for "+r.Unit+" was skipped.")
		}
	case "canceled":
		say(term.Err, "Job for "+r.Unit+" canceled.")
	case "timeout":
		say(term.Err, "Job for "+r.Unit+" timed out.")
	case "dependency":
		say(term.Err, "A dependency job for "+r.Unit+" failed. See 'journalctl -xe' for details.")
	case "invalid":
		say(term.Err, r.Unit+" is not active, cannot reload.")
	case "assert":
		say(term.Err, "Assertion failed on job for "+r.Unit+".")
	case "unsupported":
		say(term.Err, "Operation on or unit type of "+r.Unit+" not supported on this system.")
	case "collected":
		say(term.Err, "Queued job for "+r.Unit+" was garbage collected.")
	case "once":
		say(term.Err, "Unit "+r.Unit+" was started already once and can't be started again.")
	case "frozen":
		say(term.Err, "Cannot perform operation on frozen unit "+r.Unit+".")
	case "concurrency":
		say(term.Err, "Concurrency limit of a slice unit "+r.Unit+" is contained in has been reached.")
	default:
		if !strings.HasSuffix(r.Unit, ".service") {
			say(term.Err, "Job failed. See \"journalctl -xe\" for details.")
			return
		}
		result, _ := w.m.Property(manager.UnitPath(r.Unit), manager.TypeInterface(r.Unit), "Result")
		w.sayService(r.Unit, result.Text())
	}
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
