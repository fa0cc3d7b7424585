package control

import (
	"strings"

	"ctl/control/manager"
	"ctl/internal/clock"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// none is how the manager says that something is not counted or not limited.
const none = clock.Infinity

// resources writes what the unit uses, and what it may use.
func (w *unitPage) resources() {
	if unit.Type(w.p.text("Id")) == "slice" {
		w.activeUnits()
	}
	w.traffic("IP", "IPIngressBytes", "IPEgressBytes", " in, ", " out")
	w.traffic("IO", "IOReadBytes", "IOWriteBytes", " read, ", " written")
	if n := w.p.limit("TasksCurrent"); n != none {
		w.line("Tasks", w.limited(decimal64(n), w.p.limit("TasksMax")))
	}
	if most := w.p.number("FileDescriptorStoreMax"); most > 0 || w.p.number("NFileDescriptorStore") > 0 {
		w.line("FD Store", w.limited(decimal64(w.p.number("NFileDescriptorStore")), most))
	}
	w.memory()
	if n := w.p.limit("CPUUsageNSec"); n != none {
		w.line("CPU", clock.Span(n/1000, clock.Msec))
	}
	for _, q := range [...]struct{ label, property string }{{"State Dir", "State"}, {"Cache Dir", "Cache"}, {"Logs Dir", "Logs"}} {
		w.quota(q.label, q.property+"DirectoryQuotaUsage")
	}
}

// activeUnits writes how many units of a slice are active.
func (w *unitPage) activeUnits() {
	n, ok := w.p.get("NCurrentlyActive").(uint32)
	if !ok || n == 1<<32-1 {
		return
	}
	var limits []string
	for _, l := range [...]struct{ label, property string }{{"soft limit", "ConcurrencySoftMax"}, {"hard limit", "ConcurrencyHardMax"},
		{"activating limit", "ActivatingConcurrencyMax"}} {
		if v, ok := w.p.get(l.property).(uint32); ok && v != 1<<32-1 {
			limits = append(limits, l.label+": "+decimal(v))
		}
	}
	text := decimal(n)
	if len(limits) > 0 {
		text += " (" + strings.Join(limits, "; ") + ")"
	}
	w.line("Act. Units", text)
}

func (w *unitPage) traffic(label, from, to, between, after string) {
	a, b := w.p.limit(from), w.p.limit(to)
	if a != none && b != none {
		w.line(label, term.Bytes(a)+between+term.Bytes(b)+after)
	}
}

// limited writes a number and its limit, if it has one.
func (w *unitPage) limited(text string, limit uint64) string {
	if limit == none {
		return text
	}
	return text + w.paint.color(term.Grey, " (limit: "+decimal64(limit)+")")
}

// memory writes the memory in use, and in parentheses what limits it and what it has been.
func (w *unitPage) memory() {
	current := w.p.limit("MemoryCurrent")
	peak, swap, swapPeak := w.p.limit("MemoryPeak"), w.p.limit("MemorySwapCurrent"), w.p.limit("MemorySwapPeak")
	if current == none {
		if peak != none {
			text := term.Bytes(peak)
			if swapPeak != none && swapPeak > 0 {
				text += " (swap: " + term.Bytes(swapPeak) + ")"
			}
			w.line("Mem peak", text)
		}
		return
	}
	parts := w.memoryLimits()
	if peak != none {
		parts = append(parts, "peak: "+term.Bytes(peak))
	}
	if swapPeak != none && swapPeak > 0 {
		parts = append(parts, "swap: "+term.Bytes(swap), "swap peak: "+term.Bytes(swapPeak))
	}
	if z := w.p.limit("MemoryZSwapCurrent"); z != none && z > 0 {
		parts = append(parts, "zswap: "+term.Bytes(z))
	}
	text := term.Bytes(current)
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	w.line("Memory", text)
}

// memoryLimits are the settings that protect or limit memory. What is available tells only if there is a limit.
func (w *unitPage) memoryLimits() []string {
	var parts []string
	limited := false
	for _, l := range [...]struct {
		label, property string
		unset           uint64
	}{
		{"min", "MemoryMin", 0}, {"low", "MemoryLow", 0}, {"low (startup)", "StartupMemoryLow", 0},
		{"high", "MemoryHigh", none}, {"high (startup)", "StartupMemoryHigh", none},
		{"max", "MemoryMax", none}, {"max (startup)", "StartupMemoryMax", none},
		{"swap max", "MemorySwapMax", none}, {"swap max (startup)", "StartupMemorySwapMax", none},
		{"zswap max", "MemoryZSwapMax", none}, {"zswap max (startup)", "StartupMemoryZSwapMax", none},
		{"limit", "MemoryLimit", none},
	} {
		v, ok := w.p.get(l.property).(uint64)
		if !ok || v == l.unset {
			continue
		}
		limited = limited || l.property == "MemoryHigh" || l.property == "MemoryMax"
		text := term.Bytes(v)
		if v == none {
			text = "infinity"
		}
		parts = append(parts, l.label+": "+text)
	}
	if a := w.p.limit("MemoryAvailable"); a != none && limited {
		parts = append(parts, "available: "+term.Bytes(a))
	}
	return parts
}

// quota writes how much of a directory's quota is used.
func (w *unitPage) quota(label, property string) {
	var used, most uint64
	if !manager.Scan(value[[]any](w.p, property), &used, &most) || used == none {
		return
	}
	text := term.Bytes(used)
	if most != none && most > 0 {
		text += " (max: " + term.Bytes(most) + ")"
	}
	w.line(label, text)
}
