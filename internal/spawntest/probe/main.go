// Probe is run in a container and prints all that can be seen there, in an order that is always the same. With a word, it does
// what that says: "tty", "signals", "try", "mounts" and so on are parts of the report.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// parts of the report; volatile things are written so that two runs are alike.
func parts() []part {
	return []part{
		{"process", process}, {"limits", limits}, {"signals", signals}, {"fds", descriptors}, {"tty", terminal}, {"first", first},
		{"environment", environment}, {"namespaces", namespaces}, {"mounts", mounts}, {"dev", dev}, {"run", run}, {"etc", etc}, {"sys", sys},
		{"masks", masks}, {"network", network}, {"try", try}, {"calls", calls},
	}
}

type part struct {
	name string
	tell func(*report)
}

// A report is what is printed, each line with the name of its part.
type report struct {
	part string
	out  strings.Builder
}

func (r *report) say(name string, value any) { fmt.Fprintf(&r.out, "%s %s: %v\n", r.part, name, value) }

// try says what came of something that may fail.
func (r *report) try(name string, err error) {
	if err == nil {
		r.say(name, "OK")
	} else {
		r.say(name, err)
	}
}

func main() {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "child:") {
		os.Exit(child(os.Args[1:]))
	}
	if len(os.Args) > 1 && act(os.Args[1:]) {
		return
	}
	if here := os.Getenv("PROBE"); here != "" { // as init, whose arguments are not ours
		os.Args = append(os.Args[:1], strings.Split(here, ",")...)
		if act(os.Args[1:]) {
			return
		}
	}
	r := new(report)
	for _, p := range parts() {
		if len(os.Args) == 1 || slices.Contains(os.Args[1:], p.name) || os.Args[1] == "all" {
			r.part = p.name
			p.tell(r)
		}
	}
	os.Stdout.WriteString(r.out.String())
}
